//! Owns what the project needs of a model's `config.json`, and the checks that graph, configuration and tokenizer speak of
//! one vocabulary.

use serde::Deserialize;

use crate::{Error, ErrorCode, Result};

/// The fields of `config.json` that a graph does not always state itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelConfig {
    /// The number of logits in a row.
    pub vocab_size: usize,
    /// The width of the residual stream.
    #[serde(default)]
    hidden_size: Option<usize>,
    /// Query heads.
    #[serde(default)]
    num_attention_heads: Option<usize>,
    /// Key and value heads; as many as query heads when absent.
    #[serde(default)]
    num_key_value_heads: Option<usize>,
    /// The width of a head, where it is not `hidden_size / num_attention_heads`.
    #[serde(default)]
    head_dim: Option<usize>,
}

impl ModelConfig {
    /// Reads the bytes of a `config.json`.
    ///
    /// # Errors
    /// `model` when they are not a configuration with a `vocab_size`.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::new(
                ErrorCode::Model,
                format!("config.json is not a model configuration: {error}"),
            )
            .with_hint("take the config.json that belongs to the model")
        })
    }

    /// The width of one head of the cache.
    ///
    /// # Errors
    /// `model` when the configuration does not tell.
    pub fn head_dim(&self) -> Result<usize> {
        let derived = || {
            let heads = self.num_attention_heads.filter(|&heads| heads > 0)?;
            Some(self.hidden_size? / heads)
        };
        let known = self.head_dim.or_else(derived).filter(|&width| width > 0);
        known.ok_or_else(|| missing("head_dim, nor hidden_size and num_attention_heads"))
    }

    /// The number of key and value heads.
    ///
    /// # Errors
    /// `model` when the configuration does not tell.
    pub fn key_value_heads(&self) -> Result<usize> {
        let known = self
            .num_key_value_heads
            .or(self.num_attention_heads)
            .filter(|&heads| heads > 0);
        known.ok_or_else(|| missing("num_key_value_heads, nor num_attention_heads"))
    }

    /// Checks the graph's logits dimension; a symbolic one (`None`) is held to the configuration when logits appear.
    ///
    /// # Errors
    /// `vocabulary` when they differ.
    pub fn check_graph(&self, logits_dimension: Option<usize>) -> Result<()> {
        match logits_dimension {
            Some(graph) if graph != self.vocab_size => Err(Error::new(
                ErrorCode::Vocabulary,
                format!(
                    "the graph predicts {graph} tokens, config.json has a vocab_size of {}",
                    self.vocab_size
                ),
            )
            .with_hint("take graph and config.json from the same model")),
            _ => Ok(()),
        }
    }

    /// Checks that every id of a tokenizer is one that the graph predicts. `tokenizer_size` is the largest id + 1.
    ///
    /// # Errors
    /// `vocabulary` when an id is beyond `vocab_size`.
    pub fn check_tokenizer(&self, tokenizer_size: usize) -> Result<()> {
        if tokenizer_size <= self.vocab_size {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Vocabulary,
            format!(
                "the tokenizer's largest id is {}, the graph predicts only ids below {}",
                tokenizer_size - 1,
                self.vocab_size
            ),
        )
        .with_hint("take graph and tokenizer.json from the same model"))
    }
}

fn missing(what: &str) -> Error {
    Error::new(
        ErrorCode::Model,
        format!("the graph leaves a cache dimension open and config.json has no {what}"),
    )
    .with_hint("take the config.json that belongs to the model")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> ModelConfig {
        ModelConfig::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn head_dim_is_stated_or_derived() {
        let check = |text: &str, expected: Option<usize>| assert_eq!(config(text).head_dim().ok(), expected, "{text}");
        check(
            r#"{"vocab_size": 8, "head_dim": 5, "hidden_size": 192, "num_attention_heads": 6}"#,
            Some(5),
        );
        check(
            r#"{"vocab_size": 8, "head_dim": null, "hidden_size": 192, "num_attention_heads": 6}"#,
            Some(32),
        );
        check(
            r#"{"vocab_size": 8, "hidden_size": 192, "num_attention_heads": 0}"#,
            None,
        );
        check(r#"{"vocab_size": 8}"#, None);
    }

    #[test]
    fn heads_are_those_of_the_cache() {
        let check = |text: &str, expected: Option<usize>| assert_eq!(config(text).key_value_heads().ok(), expected);
        check(
            r#"{"vocab_size": 8, "num_key_value_heads": 2, "num_attention_heads": 6}"#,
            Some(2),
        );
        check(r#"{"vocab_size": 8, "num_attention_heads": 6}"#, Some(6));
        check(r#"{"vocab_size": 8}"#, None);
    }

    #[test]
    fn another_vocabulary_is_refused() {
        let config = config(r#"{"vocab_size": 1536}"#);
        assert_eq!(config.check_graph(Some(1536)), Ok(()));
        assert_eq!(config.check_graph(None), Ok(()));
        assert_eq!(config.check_graph(Some(1535)).unwrap_err().code, ErrorCode::Vocabulary);
        assert_eq!(config.check_tokenizer(1536), Ok(()));
        let error = config.check_tokenizer(49152).unwrap_err();
        assert_eq!(error.code, ErrorCode::Vocabulary);
        assert!(
            error.message.contains("49151") && error.message.contains("1536"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for text in ["", "[]", "{}", r#"{"vocab_size": -1}"#, r#"{"vocab_size": "8"}"#] {
            assert_eq!(
                ModelConfig::parse(text.as_bytes()).unwrap_err().code,
                ErrorCode::Model,
                "{text}"
            );
        }
    }
}
