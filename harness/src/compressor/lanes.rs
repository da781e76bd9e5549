//! Owns how many lanes a writer gives a frame (FORMAT.md section 8).

use std::fmt;
use std::str::FromStr;

use crate::model::context::MAX_LANES;
use crate::{Error, ErrorCode, Result};

/// Tokens per lane below which `auto` adds none: what a lane costs is then about 1 % of what its tokens
/// do, or less.
const AUTO_TOKENS: usize = 8192;
/// The most lanes of `auto`: more would take memory and gain little.
const AUTO_LANES: usize = 64;

/// How many lanes a frame gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// As many as its length in tokens allows.
    Auto,
    /// So many, `1 ..= 256`; a frame of fewer tokens has fewer.
    Fixed(usize),
}

impl Lanes {
    /// The lanes of a frame of so many tokens, at least one.
    #[must_use]
    pub fn of(self, tokens: usize) -> usize {
        match self {
            Self::Auto => auto_lanes(tokens),
            Self::Fixed(lanes) => lanes,
        }
    }

    /// Holds the number to its limits.
    ///
    /// # Errors
    /// `usage`.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Fixed(lanes) if !(1..=MAX_LANES).contains(&lanes) => Err(Error::new(
                ErrorCode::Usage,
                format!("{lanes} lanes are not 1 to {MAX_LANES}"),
            )),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(lanes) => lanes.fmt(f),
        }
    }
}

impl FromStr for Lanes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text
                .parse()
                .map(Self::Fixed)
                .map_err(|_| "give auto or a whole number".to_owned()),
        }
    }
}

/// The lanes of a frame of so many tokens.
#[must_use]
pub fn auto_lanes(tokens: usize) -> usize {
    (tokens / AUTO_TOKENS).clamp(1, AUTO_LANES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn auto_is_what_the_table_says() {
        let table: serde_json::Value = serde_json::from_str(include_str!("../../tests/cases/lanes.json")).unwrap();
        let cases = table["cases"].as_array().unwrap();
        assert!(cases.len() > 10);
        for case in cases {
            let tokens = case["tokens"].as_u64().unwrap() as usize;
            assert_eq!(
                Lanes::Auto.of(tokens),
                case["lanes"].as_u64().unwrap() as usize,
                "{tokens}"
            );
            assert_eq!(Lanes::Fixed(3).of(tokens), 3);
        }
    }

    #[test]
    fn words_and_numbers_are_read() {
        for (text, expected) in [
            ("auto", Lanes::Auto),
            ("1", Lanes::Fixed(1)),
            ("256", Lanes::Fixed(256)),
        ] {
            let lanes: Lanes = text.parse().unwrap();
            assert_eq!((lanes, lanes.to_string()), (expected, text.to_owned()));
            lanes.check().unwrap();
        }
        for text in ["", "Auto", "-1", "1.0", "many"] {
            assert!(text.parse::<Lanes>().is_err(), "{text}");
        }
        for lanes in [0, 257] {
            assert_eq!(Lanes::Fixed(lanes).check().unwrap_err().code, ErrorCode::Usage);
        }
    }
}
