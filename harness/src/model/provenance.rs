//! Owns where model files come from and whether they are what they should be: SHA-256 of the very bytes that are used, and
//! which model of the manifest a name, a folder or a hash stands for. It loads no model.

mod identity;
pub mod manifest;
mod models;

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::identity::model_identity;
pub use self::models::{ModelChoice, Models};
use crate::{Error, ErrorCode, Result};

/// A SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Holds the hash of `what` to the one it must have.
    ///
    /// # Errors
    /// `integrity`, naming both hashes.
    pub fn check(self, expected: Self, what: &dyn fmt::Display) -> Result<()> {
        if self == expected {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Integrity,
            format!("{what} has the SHA-256 {self}, it must have {expected}"),
        )
        .with_hint("the file is damaged or another one; get the file that the hash belongs to"))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        let bytes = bytes.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty());
        let hash = bytes.and_then(|bytes| bytes.try_into().ok()).map(Self);
        hash.ok_or_else(|| {
            Error::new(
                ErrorCode::Usage,
                format!("{text:?} is no SHA-256 of 64 lower-case hex digits"),
            )
        })
    }
}

impl TryFrom<String> for Hash {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// A file's bytes with their hash: what was hashed is what is used, whatever happens to the file meanwhile.
#[derive(Clone)]
pub struct VerifiedBytes {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub sha256: Hash,
}

impl VerifiedBytes {
    /// Reads a file, and holds its hash to `expected` where one is known.
    ///
    /// # Errors
    /// `setup` when it is not there, `io` when it cannot be read, `integrity` when its hash is another.
    pub fn read(path: &Path, expected: Option<Hash>) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => {
                Error::new(ErrorCode::Setup, format!("there is no file {}", path.display()))
                    .with_hint("name the folder of a model, or get the missing file")
            }
            _ => Error::io("read", path, &error),
        })?;
        let sha256 = Hash::of(&bytes);
        if let Some(expected) = expected {
            sha256.check(expected, &path.display())?;
        }
        Ok(Self { bytes, sha256 })
    }
}

impl fmt::Debug for VerifiedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedBytes({} bytes, {})", self.bytes.len(), self.sha256)
    }
}

#[cfg(test)]
mod tests;
