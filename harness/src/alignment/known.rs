//! Owns the differences that are known and allowed, `known.toml`: each must go on to differ.

use serde::Deserialize;

use crate::{Error, ErrorCode, Result};

/// A text that a runner is known to read otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDifference {
    /// The SHA-256 of the tokenizer that it is about, in hex.
    pub tokenizer_sha256: String,
    /// The runner.
    pub runner: String,
    /// The smallest text that shows it.
    pub text: String,
    /// Why it is so, and why it does no harm.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    difference: Vec<KnownDifference>,
}

/// The known differences about one tokenizer.
///
/// # Errors
/// `internal` when the table cannot be read.
pub fn built_in(tokenizer_sha256: &str) -> Result<Vec<KnownDifference>> {
    read(include_str!("known.toml"), tokenizer_sha256)
}

fn read(table: &str, tokenizer_sha256: &str) -> Result<Vec<KnownDifference>> {
    let table: Table = toml::from_str(table)
        .map_err(|source| Error::new(ErrorCode::Internal, format!("known.toml cannot be read: {source}")))?;
    let mut known = table.difference;
    known.retain(|entry| entry.tokenizer_sha256 == tokenizer_sha256);
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_of_one_tokenizer() {
        built_in("").unwrap();
        let entry = |hash: &str| {
            format!(
                "[[difference]]\ntokenizer_sha256 = \"{hash}\"\nrunner = \"node\"\ntext = \"\\u0085\"\nreason = \"why\"\n"
            )
        };
        let found = read(&(entry("aa") + &entry("bb")), "bb").unwrap();
        assert_eq!((found.len(), found[0].text.as_str()), (1, "\u{85}"));
        assert!(read("[[difference]]\nrunner = 1\n", "").is_err());
    }
}
