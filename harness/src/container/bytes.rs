//! Owns the reading and writing of single fields: bytes, varints, and checks over stretches of them. It knows no layout.

use std::io::{BufReader, Read};

use crate::{Error, ErrorCode, Result};

/// The longest varint, in bytes; its values lie below 2^53 because JavaScript's numbers do.
const MAX_VARINT_BYTES: usize = 8;
const VARINT_LIMIT: u64 = 1 << 53;

/// Appends a varint; `value` is below 2^53.
pub fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    debug_assert!(value < VARINT_LIMIT);
    while value >= 0x80 {
        // Seven bits at a time, so nothing is cut off.
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends the crc32 of everything from `start` on.
pub fn put_crc32(bytes: &mut Vec<u8>, start: usize) {
    let crc32 = crc32fast::hash(&bytes[start..]);
    bytes.extend(crc32.to_le_bytes());
}

/// Reads fields from a stream. Nothing is allocated for bytes that are merely claimed.
#[derive(Debug)]
pub struct ByteReader<R> {
    input: BufReader<R>,
    offset: u64,
    crc32: crc32fast::Hasher,
}

impl<R: Read> ByteReader<R> {
    /// A reader at the start of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            offset: 0,
            crc32: crc32fast::Hasher::new(),
        }
    }

    /// How many bytes were read.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Starts a stretch that [`ByteReader::check_crc32`] ends.
    pub fn start_crc32(&mut self) {
        self.crc32 = crc32fast::Hasher::new();
    }

    /// Reads the crc32 of the stretch and holds the stretch to it.
    ///
    /// # Errors
    /// `format` when it differs or the stream ends; `io`.
    pub fn check_crc32(&mut self, what: &str) -> Result<()> {
        let actual = std::mem::take(&mut self.crc32).finalize();
        let expected = self.u32(what)?;
        if actual == expected {
            return Ok(());
        }
        Err(Error::format(format!(
            "the crc32 of {what}, which ends at byte {}, is {actual:08x} and not {expected:08x}",
            self.offset
        )))
    }

    /// Exactly `N` bytes.
    ///
    /// # Errors
    /// `format` when the stream ends before, `io`.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.input
            .read_exact(&mut array)
            .map_err(|error| self.failed(what, &error))?;
        self.took(&array);
        Ok(array)
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`ByteReader::array`].
    pub fn byte(&mut self, what: &str) -> Result<u8> {
        let [byte] = self.array(what)?;
        Ok(byte)
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// As [`ByteReader::array`].
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// A varint that must lie in `range`.
    ///
    /// # Errors
    /// `format` when it does not, is longer than it need be, or the stream ends; `io`.
    pub fn varint(&mut self, what: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64> {
        let start = self.offset;
        let mut value = 0;
        for i in 0..MAX_VARINT_BYTES {
            let byte = self.byte(what)?;
            value |= u64::from(byte & 0x7F) << (7 * i);
            if byte < 0x80 {
                let shortest = byte != 0 || i == 0;
                if shortest && value < VARINT_LIMIT && range.contains(&value) {
                    return Ok(value);
                }
                let reason = if shortest {
                    format!("{value} is not {} to {}", range.start(), range.end())
                } else {
                    String::from("it is not in its shortest form")
                };
                return Err(Error::format(format!("{what} at byte {start} is wrong: {reason}")));
            }
        }
        Err(Error::format(format!(
            "{what} at byte {start} is wrong: a number of more than {MAX_VARINT_BYTES} bytes"
        )))
    }

    /// `length` bytes; memory grows with what is really there.
    ///
    /// # Errors
    /// As [`ByteReader::array`].
    pub fn bytes(&mut self, what: &str, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let taken = self.input.by_ref().take(length).read_to_end(&mut bytes);
        taken.map_err(|error| self.failed(what, &error))?;
        self.took(&bytes);
        if (bytes.len() as u64) < length {
            return Err(self.ends_in(what));
        }
        Ok(bytes)
    }

    /// Whether the stream has no more bytes.
    ///
    /// # Errors
    /// `io`.
    pub fn at_end(&mut self) -> Result<bool> {
        let mut byte = [0];
        loop {
            match self.input.read(&mut byte) {
                Ok(count) => return Ok(count == 0),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("the end", &error)),
            }
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.crc32.update(bytes);
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            self.ends_in(what)
        } else {
            let message = format!("cannot read {what} of the container at byte {}: {error}", self.offset);
            Error::new(ErrorCode::Io, message)
        }
    }

    fn ends_in(&self, what: &str) -> Error {
        Error::format(format!(
            "the container ends in the middle of {what}, after byte {}",
            self.offset
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(bytes: &[u8]) -> Result<u64> {
        ByteReader::new(bytes).varint("a number", 0..=VARINT_LIMIT - 1)
    }

    #[test]
    fn varints_have_one_form() {
        for value in [0, 1, 127, 128, 300, 16383, 16384, u64::from(u32::MAX), VARINT_LIMIT - 1] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            assert_eq!(varint(&bytes), Ok(value));
            let last = bytes.len() - 1;
            assert_eq!(varint(&bytes[..last]).unwrap_err().code, ErrorCode::Format);
            bytes[last] |= 0x80;
            bytes.push(0);
            assert_eq!(varint(&bytes).unwrap_err().code, ErrorCode::Format);
        }
        // 2^53, and nine bytes.
        assert!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]).is_err());
        assert!(varint(&[0xFF; 9]).is_err());
        assert!(ByteReader::new([5u8].as_slice()).varint("a number", 6..=7).is_err());
    }

    #[test]
    fn claimed_bytes_are_not_allocated() {
        let error = ByteReader::new([1u8, 2, 3].as_slice())
            .bytes("a claim", VARINT_LIMIT - 1)
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Format);
        assert!(error.message.contains("a claim"), "{error}");
    }

    #[test]
    fn a_failing_input_is_no_damage() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("unplugged"))
            }
        }
        for error in [
            ByteReader::new(Failing).byte("a field").unwrap_err(),
            ByteReader::new(Failing).bytes("a field", 7).unwrap_err(),
            ByteReader::new(Failing).at_end().unwrap_err(),
        ] {
            assert_eq!(error.code, ErrorCode::Io);
            assert!(error.message.contains("unplugged"), "{error}");
        }
    }
}
