//! Owns the translation between text and token ids. It adds nothing of its own to what the tokenizer file says.

use std::str::FromStr;

use super::source::TextTokenizer;
use crate::{Error, ErrorCode, Result};

/// A tokenizer of the `tokenizer.json` kind.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    size: usize,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`. Truncation and padding that the file may ask for are left out: they would
    /// lose text.
    ///
    /// # Errors
    /// `model` when they are not a tokenizer, or one without tokens.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| unreadable(&error))?;
        let mut inner = tokenizers::Tokenizer::from_str(text).map_err(|error| unreadable(&error))?;
        inner.with_truncation(None).map_err(|error| unreadable(&error))?;
        inner.with_padding(None);
        let largest = inner.get_vocab(true).into_values().max();
        let size = largest.ok_or_else(|| unreadable(&"it has no tokens"))? as usize + 1;
        Ok(Self { inner, size })
    }

    /// The largest id + 1.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether there is a token of this id.
    #[must_use]
    pub fn has(&self, id: u32) -> bool {
        self.inner.id_to_token(id).is_some()
    }
}

impl TextTokenizer for Tokenizer {
    fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| failed("encode text", &error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// An id without a token stands for nothing; bytes that are not UTF-8 become U+FFFD, so that the text differs from what was
    /// encoded.
    fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner
            .decode(ids, false)
            .map_err(|error| failed("decode ids", &error))
    }
}

fn unreadable(reason: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorCode::Model, format!("tokenizer.json is not a tokenizer: {reason}"))
        .with_hint("take the tokenizer.json that belongs to the model")
}

fn failed(doing: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorCode::Internal,
        format!("the tokenizer failed to {doing}: {reason}"),
    )
}

#[cfg(test)]
mod tests;
