//! Owns the binary arithmetic coder and the adaptive bit of FORMAT.md section 7: integers only. It knows nothing of what the bits
//! mean.

use crate::{Error, ErrorCode, Result};

/// Probabilities are in 65536ths.
pub const PROBABILITY_ONE: u32 = 1 << 16;

const HALF: u32 = 0x8000_0000;
const QUARTER: u32 = 0x4000_0000;
const THREE_QUARTERS: u32 = 0xC000_0000;

/// A decoder that has taken in more bits than this past the end of its stream has lost its way: 32 fill `value` at first.
const MAX_BITS_PAST_END: u32 = 32;

/// Counts of an adaptive bit are halved when they reach this.
const ADAPTIVE_LIMIT: u32 = 255;

/// Where `low ..= high` is split: bit 1 takes the part up to it.
const fn split(low: u32, high: u32, p: u32) -> u32 {
    let r = high - low;
    low + (r >> 16) * p + (((r & 0xFFFF) * p) >> 16)
}

/// Writes bits, each with the probability that it is 1.
#[derive(Clone, Debug)]
pub struct BitEncoder {
    low: u32,
    high: u32,
    pending: u64,
    bytes: Vec<u8>,
    partial: u8,
    partial_bits: u32,
}

impl Default for BitEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl BitEncoder {
    /// An encoder of an empty stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            low: 0,
            high: u32::MAX,
            pending: 0,
            bytes: Vec::new(),
            partial: 0,
            partial_bits: 0,
        }
    }

    /// Codes `bit`, where `p` is the probability of 1 in 65536ths, `1 ..= 65535`.
    pub fn encode(&mut self, bit: bool, p: u32) {
        let split = split(self.low, self.high, p);
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
        loop {
            if self.high < HALF {
                self.put(false);
            } else if self.low >= HALF {
                self.put(true);
                self.low -= HALF;
                self.high -= HALF;
            } else if self.low >= QUARTER && self.high < THREE_QUARTERS {
                self.pending += 1;
                self.low -= QUARTER;
                self.high -= QUARTER;
            } else {
                break;
            }
            self.low <<= 1;
            self.high = (self.high << 1) | 1;
        }
    }

    /// Ends the stream and gives its bytes, at least one.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        // The middle always lies in low ..= high: its first bit, then zeros, of which those past the end need not be there.
        self.put(true);
        while self.partial_bits != 0 {
            self.append(false);
        }
        self.bytes
    }

    fn put(&mut self, bit: bool) {
        self.append(bit);
        for _ in 0..self.pending {
            self.append(!bit);
        }
        self.pending = 0;
    }

    fn append(&mut self, bit: bool) {
        self.partial = (self.partial << 1) | u8::from(bit);
        self.partial_bits += 1;
        if self.partial_bits == 8 {
            self.bytes.push(self.partial);
            self.partial = 0;
            self.partial_bits = 0;
        }
    }
}

/// Reads the bits that a [`BitEncoder`] wrote, given the same probabilities.
#[derive(Clone, Debug)]
pub struct BitDecoder {
    low: u32,
    high: u32,
    value: u32,
    stream: Vec<u8>,
    next_bit: usize,
    bits_past_end: u32,
}

impl BitDecoder {
    /// A decoder at the start of `stream`.
    #[must_use]
    pub fn new(stream: Vec<u8>) -> Self {
        let mut decoder = Self {
            low: 0,
            high: u32::MAX,
            value: 0,
            stream,
            next_bit: 0,
            bits_past_end: 0,
        };
        for _ in 0..32 {
            decoder.value = (decoder.value << 1) | decoder.take();
        }
        decoder
    }

    /// The next bit, where `p` is the probability of 1 in 65536ths, `1 ..= 65535`.
    ///
    /// # Errors
    /// `divergence` when the stream ended too early: a writer's stream never does for a reader within eps.
    pub fn decode(&mut self, p: u32) -> Result<bool> {
        let split = split(self.low, self.high, p);
        let bit = self.value <= split;
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
        loop {
            if self.high < HALF {
            } else if self.low >= HALF {
                self.low -= HALF;
                self.high -= HALF;
                self.value -= HALF;
            } else if self.low >= QUARTER && self.high < THREE_QUARTERS {
                self.low -= QUARTER;
                self.high -= QUARTER;
                self.value -= QUARTER;
            } else {
                break;
            }
            self.low <<= 1;
            self.high = (self.high << 1) | 1;
            self.value = (self.value << 1) | self.take();
        }
        if self.bits_past_end > MAX_BITS_PAST_END {
            return Err(Error::new(
                ErrorCode::Divergence,
                format!("a lane stream of {} bytes ends too early", self.stream.len()),
            ));
        }
        Ok(bit)
    }

    fn take(&mut self) -> u32 {
        let Some(&byte) = self.stream.get(self.next_bit >> 3) else {
            self.bits_past_end = self.bits_past_end.saturating_add(1);
            return 0;
        };
        let bit = (byte >> (7 - (self.next_bit & 7))) & 1;
        self.next_bit += 1;
        u32::from(bit)
    }
}

/// A bit whose probability is learnt from the bits before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdaptiveBit {
    n0: u32,
    n1: u32,
}

impl AdaptiveBit {
    /// The probability of 1 in 65536ths, `1 ..= 65535`.
    #[must_use]
    pub const fn probability(self) -> u32 {
        // The counts stay below ADAPTIVE_LIMIT, so it is never 0 nor 65536.
        ((self.n1 + 2) * PROBABILITY_ONE) / (self.n0 + self.n1 + 4)
    }

    /// Learns from a bit that was coded.
    pub const fn update(&mut self, bit: bool) {
        if bit {
            self.n1 += 1;
        } else {
            self.n0 += 1;
        }
        if self.n0 + self.n1 == ADAPTIVE_LIMIT {
            self.n0 /= 2;
            self.n1 /= 2;
        }
    }
}

#[cfg(test)]
mod tests;
