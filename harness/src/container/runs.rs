//! Owns the way of any byte string into runs of text and literals, and back (FORMAT.md section 3).

use crate::Result;
use crate::container::layout::Run;
use crate::model::source::TextTokenizer;

/// A frame's plain bytes, cut into runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The runs, in order.
    pub runs: Vec<Run>,
    /// The tokens of all text runs, in order.
    pub tokens: Vec<u32>,
    /// The bytes of all literal runs, in order.
    pub literals: Vec<u8>,
}

impl Split {
    fn literal(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.literals.extend(bytes);
        if let Some(Run::Literal(length)) = self.runs.last_mut() {
            *length += bytes.len();
        } else {
            self.runs.push(Run::Literal(bytes.len()));
        }
    }

    fn text<T: TextTokenizer + ?Sized>(&mut self, text: &str, tokenizer: &T) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let ids = tokenizer.encode(text)?;
        if tokenizer.decode(&ids)? == text {
            self.runs.push(Run::Text(ids.len()));
            self.tokens.extend(ids);
            return Ok(());
        }
        match text.chars().count() {
            1 => self.literal(text.as_bytes()),
            count => {
                let half = text
                    .char_indices()
                    .nth(count / 2)
                    .map_or(text.len(), |(place, _)| place);
                let (left, right) = text.split_at(half);
                self.text(left, tokenizer)?;
                self.text(right, tokenizer)?;
            }
        }
        Ok(())
    }
}

/// Cuts plain bytes into runs: text where the tokenizer gives it back as it was, literals elsewhere.
///
/// # Errors
/// Those of the tokenizer.
pub fn split_runs<T: TextTokenizer + ?Sized>(plain: &[u8], tokenizer: &T) -> Result<Split> {
    let mut split = Split::default();
    for chunk in plain.utf8_chunks() {
        split.text(chunk.valid(), tokenizer)?;
        split.literal(chunk.invalid());
    }
    Ok(split)
}

/// The plain bytes of runs, or the first bytes of them: no run is decoded once there are more than `limit` bytes.
///
/// # Errors
/// Those of the tokenizer.
pub fn join_runs<T: TextTokenizer + ?Sized>(
    runs: &[Run],
    mut tokens: &[u32],
    mut literals: &[u8],
    tokenizer: &T,
    limit: usize,
) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    for run in runs {
        if plain.len() > limit {
            break;
        }
        match *run {
            Run::Text(length) => {
                let (ids, rest) = tokens.split_at(length.min(tokens.len()));
                plain.extend(tokenizer.decode(ids)?.as_bytes());
                tokens = rest;
            }
            Run::Literal(length) => {
                let (bytes, rest) = literals.split_at(length.min(literals.len()));
                plain.extend(bytes);
                literals = rest;
            }
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::synthetic::ToyTokenizer;

    fn check(plain: &[u8], expected: &[Run]) {
        let split = split_runs(plain, &ToyTokenizer).unwrap();
        assert_eq!(split.runs, expected, "{plain:x?}");
        let joined = join_runs(&split.runs, &split.tokens, &split.literals, &ToyTokenizer, plain.len()).unwrap();
        assert_eq!(joined, plain);
    }

    #[test]
    fn any_bytes_become_runs() {
        use Run::{Literal, Text};
        check(b"", &[]);
        check(b"abc", &[Text(3)]);
        check("é€😀".as_bytes(), &[Text(9)]);
        check(b"\xFF", &[Literal(1)]);
        check(b"ab\xFF\xFEcd", &[Text(2), Literal(2), Text(2)]);
        // Overlong, a surrogate, beyond the last scalar value, cut short.
        check(b"\xC0\x80", &[Literal(2)]);
        check(b"a\xED\xA0\x80b", &[Text(1), Literal(3), Text(1)]);
        check(b"\xF4\x90\x80\x80", &[Literal(4)]);
        check(b"\xE2\x82A\xE2\x82", &[Literal(2), Text(1), Literal(2)]);
        // The toy tokenizer loses byte 07: the text is halved until it stands alone.
        check(b"\x07", &[Literal(1)]);
        check(b"abcd\x07fgh", &[Text(4), Literal(1), Text(1), Text(2)]);
        check(b"abc\x07", &[Text(2), Text(1), Literal(1)]);
        check(b"\x07\x07\xFFab", &[Literal(3), Text(2)]);
        check("ééé\x07".as_bytes(), &[Text(4), Text(2), Literal(1)]);
    }

    #[test]
    fn joining_stops_beyond_the_limit() {
        let runs = [Run::Text(2), Run::Literal(1), Run::Text(2)];
        let joined = |limit| join_runs(&runs, &[97, 98, 99, 100], b"-", &ToyTokenizer, limit).unwrap();
        assert_eq!(joined(5), b"ab-cd");
        assert_eq!(joined(1), b"ab");
        // Lists that do not belong together end early instead of failing.
        assert_eq!(join_runs(&runs, &[97], b"", &ToyTokenizer, 9).unwrap(), b"a");
    }
}
