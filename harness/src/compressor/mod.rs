//! Owns the whole way from bytes to a container and back, frame by frame: runs, rows, lanes, streams. It opens no file and loads no
//! model; input, output, logits and tokenizer are given to it. Memory does not grow with the length of the input.

mod decode;
mod encode;
mod frames;
mod lanes;
mod threads;
mod verify;

pub use decode::{DecompressSummary, decompress};
pub(crate) use encode::writer_plan;
pub use encode::{CompressOptions, CompressSummary, compress};
pub use lanes::{Lanes, auto_lanes};
pub use verify::{HashedInput, PlainDigest, verify};

use sha2::{Digest, Sha256};

use crate::Result;
use crate::model::provenance::Hash;

/// How far a file is: tokens done, and tokens known so far. A stream's later frames are not known yet, so `total` may grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tokens whose row was computed.
    pub done: u64,
    /// Tokens of this frame and those before it.
    pub total: u64,
}

/// Is told of every token; an error from it ends the work.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> Result<()>;

/// Which files computed, or must compute, the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    /// SHA-256 of the model file.
    pub model_sha256: Hash,
    /// SHA-256 of the tokenizer file.
    pub tokenizer_sha256: Hash,
}

/// Counts and hashes the tokens of coded frames.
#[derive(Debug, Default)]
struct TokenDigest {
    tokens: u64,
    sha256: Sha256,
}

impl TokenDigest {
    fn update(&mut self, ids: &[u32]) {
        self.tokens += ids.len() as u64;
        for id in ids {
            self.sha256.update(id.to_le_bytes());
        }
    }

    fn finish(self) -> (u64, Hash) {
        (self.tokens, Hash(self.sha256.finalize().into()))
    }
}

#[cfg(test)]
mod tests;
