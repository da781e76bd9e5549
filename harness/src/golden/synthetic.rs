//! Owns the logits and tokens of the golden vectors: numbers that every language makes alike, without a model. They are
//! described in `golden/codec/README.md`, which must say what this file does.

use crate::model::exactness::Exactness;
use crate::model::source::{Logits, LogitsSource, LogitsType, TextTokenizer};
use crate::{Error, ErrorCode, Result};

/// A linear congruential generator of 16-bit numbers.
#[derive(Clone, Debug)]
pub struct Lcg {
    state: u32,
}

impl Lcg {
    /// The generator whose state is `seed`.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self { state: seed }
    }

    /// The next number, `0 ..= 65535`.
    pub const fn draw(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.state >> 16
    }

    /// The next logit, in `-spread ..< spread`; exact in 32 bits for a `spread` that is a power of two.
    pub fn draw_logit(&mut self, spread: f32) -> f32 {
        (self.draw() as f32 - 32768.0) * spread / 32768.0
    }

    /// The next row.
    pub fn draw_row(&mut self, vocab_size: usize, spread: f32) -> Vec<f32> {
        (0..vocab_size).map(|_| self.draw_logit(spread)).collect()
    }

    /// The token that follows `row`: three times in four its arg-max (the first of equals), else any id.
    pub fn draw_token(&mut self, row: &[f32]) -> u32 {
        if !self.draw().is_multiple_of(4) {
            let best = (1..row.len()).fold(0, |best, id| if row[id] > row[best] { id } else { best });
            best as u32
        } else {
            self.draw() % row.len() as u32
        }
    }
}

/// The vocabulary size of [`SyntheticModel`].
pub const SYNTHETIC_VOCAB_SIZE: usize = 257;

/// The id of [`SyntheticModel`] that stands for no byte.
pub const SYNTHETIC_START_TOKEN: u32 = 256;

/// A byte-per-token model whose logits depend on everything that its cache holds.
#[derive(Clone, Debug, Default)]
pub struct SyntheticModel {
    /// A hash of each lane's cache.
    lanes: Vec<u32>,
    logits: Vec<f32>,
    one_lane_only: bool,
}

impl SyntheticModel {
    /// A model that allows a batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A model that allows no batch.
    #[must_use]
    pub fn without_batch() -> Self {
        Self {
            one_lane_only: true,
            ..Self::default()
        }
    }
}

fn base_logit(id: u32) -> f32 {
    match id {
        32 | 97..=122 => 5.0,
        10 | 48..=57 => 4.0,
        33..=126 => 2.0,
        _ => 0.0,
    }
}

impl LogitsSource for SyntheticModel {
    fn vocab_size(&self) -> usize {
        SYNTHETIC_VOCAB_SIZE
    }

    fn logits_type(&self) -> LogitsType {
        LogitsType::Float32
    }

    fn max_batch(&self) -> usize {
        if self.one_lane_only { 1 } else { usize::MAX }
    }

    fn exactness(&self) -> Exactness {
        Exactness {
            exact: true,
            reason: "its logits are small integers, computed from the ids alone".to_owned(),
        }
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        if self.one_lane_only && batch > 1 {
            return Err(Error::new(ErrorCode::Unsupported, format!("a batch of {batch}")));
        }
        self.lanes.clear();
        self.lanes.resize(batch, 0);
        Ok(())
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        if batch > self.lanes.len() {
            return Err(Error::new(
                ErrorCode::Internal,
                format!("cannot keep {batch} of {} lanes", self.lanes.len()),
            ));
        }
        self.lanes.truncate(batch);
        Ok(())
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        self.logits.clear();
        for (lane, ids) in self.lanes.iter_mut().zip(ids.chunks_exact(length)) {
            for &id in ids {
                *lane = (*lane ^ id).wrapping_mul(16_777_619).wrapping_add(1);
                let mut lcg = Lcg::new(*lane);
                let favourite = (id + 1) % 256;
                self.logits.extend((0..SYNTHETIC_VOCAB_SIZE as u32).map(|j| {
                    let bonus = if j == favourite { 3.0 } else { 0.0 };
                    base_logit(j) + bonus + lcg.draw_logit(1.0)
                }));
            }
        }
        Ok(Logits::F32(&self.logits))
    }
}

/// A tokenizer whose tokens are the bytes of the text, but for byte 07, which it loses.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToyTokenizer;

impl TextTokenizer for ToyTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        Ok(text.bytes().filter(|&byte| byte != 7).map(u32::from).collect())
    }

    fn decode(&self, ids: &[u32]) -> Result<String> {
        let bytes: Vec<u8> = ids.iter().filter_map(|&id| u8::try_from(id).ok()).collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
