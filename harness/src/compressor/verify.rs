//! Owns the proof that a container gives back what went into it: the hash of what was read, and the decoding of what was written.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::{ModelIdentity, OnProgress, decompress};
use crate::container::reader::ContainerReader;
use crate::model::provenance::Hash;
use crate::model::source::{LogitsSource, TextTokenizer};
use crate::{Error, ErrorCode, Result};

/// What went into a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainDigest {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Hash,
}

/// An input that is hashed while it is read, so that what a pipe gave can be held to later.
#[derive(Debug)]
pub struct HashedInput<R> {
    input: R,
    bytes: u64,
    sha256: Sha256,
}

impl<R: Read> HashedInput<R> {
    /// Nothing was read yet.
    pub fn new(input: R) -> Self {
        Self {
            input,
            bytes: 0,
            sha256: Sha256::new(),
        }
    }

    /// What was read.
    pub fn finish(self) -> PlainDigest {
        PlainDigest {
            bytes: self.bytes,
            sha256: Hash(self.sha256.finalize().into()),
        }
    }
}

impl<R: Read> Read for HashedInput<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.bytes += length as u64;
        self.sha256.update(&buffer[..length]);
        Ok(length)
    }
}

/// Decodes a container as any reader would and holds what comes out to what went in. Nothing of it is kept.
///
/// # Errors
/// Those of [`ContainerReader::open`] and [`decompress`], with words that say when it failed; `internal` when other bytes come out than went in.
pub fn verify<R, S, T>(
    container: R,
    plain: PlainDigest,
    source: &mut S,
    tokenizer: &T,
    model: &ModelIdentity,
    on_progress: OnProgress<'_>,
) -> Result<()>
where
    R: Read,
    S: LogitsSource + ?Sized,
    T: TextTokenizer + ?Sized,
{
    let found = ContainerReader::open(container)
        .and_then(|container| decompress(container, io::sink(), source, tokenizer, model, on_progress))
        .map_err(|error| match error.code {
            ErrorCode::Interrupted => error,
            _ => Error {
                message: format!("what was written does not decode, and was not kept: {}", error.message),
                ..error
            },
        })?;
    if (found.plain_bytes, found.plain_sha256) == (plain.bytes, plain.sha256) {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Internal,
        format!(
            "what was written decodes to {} bytes of SHA-256 {}, and was not kept: {} bytes of {} went in",
            found.plain_bytes, found.plain_sha256, plain.bytes, plain.sha256
        ),
    )
    .with_hint("this is a defect of llmzip, or of the machine; report it with the text above"))
}
