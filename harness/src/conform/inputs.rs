//! Owns the inputs of a run: the sequence 1..1000, the awkward ones, and their files.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::open_written_of;
use crate::{Error, Result, interrupt};

/// How much of a file is in memory while it is hashed.
const BLOCK_BYTES: usize = 1 << 16;

/// Bytes that are compressed.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name in the report.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Lanes of its frames.
    pub lanes: u32,
}

impl Input {
    fn new(name: &str, bytes: impl Into<Vec<u8>>, lanes: u32) -> Self {
        Self {
            name: name.to_owned(),
            bytes: bytes.into(),
            lanes,
        }
    }

    /// As much of it as `limit` bytes hold, under a name that says so; all of it where it is no longer than that.
    #[must_use]
    pub fn first(self, limit: usize) -> Self {
        if self.bytes.len() <= limit {
            return self;
        }
        let name = format!("{}, first {limit} bytes", self.name);
        Self::new(&name, &self.bytes[..limit], self.lanes)
    }
}

/// The numbers 1 to 1000, joined by newlines: 3,892 bytes.
#[must_use]
pub fn sequence() -> Input {
    let numbers: Vec<String> = (1..=1000).map(|number| number.to_string()).collect();
    Input::new("1..1000", numbers.join("\n"), 4)
}

/// Everything that is compressed and decompressed; `samples` is the folder of generated texts.
///
/// # Errors
/// `io` when a sample cannot be read.
pub fn round_trip_inputs(samples: &Path, thorough: bool) -> Result<Vec<Input>> {
    let mut inputs = vec![
        sequence(),
        Input::new("empty", "", 1),
        Input::new("one byte", "a", 1),
        Input::new("random bytes", random_bytes(512), 2),
        Input::new(
            "invalid UTF-8",
            *b"caf\xc3\xa9 \xff\xfe then \xe2\x82 cut, \xed\xa0\x80 surrogate, \xc0\xaf overlong \xf0\x9f\x98",
            1,
        ),
        Input::new("mixed scripts", MIXED_SCRIPTS, 3),
        Input::new(
            "special tokens",
            "<|im_start|>user\nsay <|endoftext|> twice<|im_end|>\n",
            1,
        ),
        Input::new("CRLF", "one\r\ntwo\r\n\r\nthree\rfour\n", 1),
        Input::new("NUL", "a\0b\0\0c", 1),
        // Words of several bytes a token: a model that has learned nothing codes them too, where it stores all else.
        Input::new("2 KB of prose", first(2000, read(&samples.join("prose-45k.txt"))?), 8),
        Input::new("10 KB of text", read(&samples.join("mixed-10k.txt"))?, 16),
    ];
    if thorough {
        inputs.push(Input::new(
            "100 KB of text",
            read(&samples.join("mixed-100k.txt"))?,
            128,
        ));
    }
    Ok(inputs)
}

const MIXED_SCRIPTS: &str = "Ελληνικά, кириллица, עברית, العربية, हिन्दी, ไทย, 中文, 日本語, 한국어. \
    e\u{301}a\u{308}o\u{302} ﬁ Å \u{200d}\u{feff}\u{2028} 👩\u{200d}👩\u{200d}👧\u{200d}👦 🇪🇺 👍🏽 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u{10ffff}";

/// The same bytes on every machine, with nothing to predict: the high byte of a 32-bit linear congruential generator.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next(&mut state)).collect()
}

fn first(count: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(count);
    bytes
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| Error::io("read", path, &source))
}

/// Writes the inputs into `folder`, by name.
///
/// # Errors
/// `io`.
pub fn write(inputs: &[Input], folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    fs::create_dir_all(folder).map_err(|source| Error::io("make", folder, &source))?;
    let mut files = BTreeMap::new();
    for (index, input) in inputs.iter().enumerate() {
        let path = folder.join(format!("{index}.plain"));
        fs::write(&path, &input.bytes).map_err(|source| Error::io("write", &path, &source))?;
        files.insert(input.name.clone(), path);
    }
    Ok(files)
}

/// SHA-256, in hex, of a file of `length` bytes that a runner wrote.
///
/// # Errors
/// `runner` when it is no regular file of that length, `io`, `interrupted`.
pub fn sha256_of_written(path: &Path, length: u64) -> Result<String> {
    let mut file = open_written_of(path, length)?.take(length);
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        interrupt::check()?;
        let count = file
            .read(&mut block)
            .map_err(|source| Error::io("read", path, &source))?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&block[..count]);
    }
}

/// SHA-256, in hex, of token ids as u32, little-endian.
#[must_use]
pub fn tokens_sha256(ids: &[u32]) -> String {
    let mut hasher = Sha256::new();
    for id in ids {
        hasher.update(id.to_le_bytes());
    }
    hex(&hasher.finalize())
}

/// SHA-256 of bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_has_its_known_length() {
        assert_eq!(sequence().bytes.len(), 3892);
        assert!(sequence().bytes.ends_with(b"999\n1000"));
    }

    #[test]
    fn only_a_long_input_is_shortened() {
        let short = sequence().first(3892);
        assert_eq!((short.name.as_str(), short.bytes.len()), ("1..1000", 3892));
        let cut = sequence().first(5);
        assert_eq!(
            (cut.name.as_str(), cut.bytes.as_slice()),
            ("1..1000, first 5 bytes", &b"1\n2\n3"[..])
        );
        assert_eq!(cut.lanes, sequence().lanes);
    }

    #[test]
    fn random_bytes_do_not_repeat_and_do_not_change() {
        let bytes = random_bytes(512);
        assert_eq!(bytes, random_bytes(512));
        assert_eq!(&bytes[..4], [60, 94, 129, 180].as_slice());
        assert!(std::str::from_utf8(&bytes).is_err());
    }
}
