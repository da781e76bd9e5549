//! Owns how a text that shows something is made smaller while it shows it: by leaving out runs of characters, then by plainer characters.

use crate::Result;

/// Requests that one text may cost.
const MOST_TRIALS: usize = 2_000;
/// What a character may be replaced by, plainest first.
const PLAIN: [char; 3] = ['a', ' ', '0'];

/// The smallest text found that `shows` still holds for; it holds for `text`.
///
/// # Errors
/// Those of `shows`.
pub(super) fn smallest(text: &str, shows: &mut dyn FnMut(&str) -> Result<bool>) -> Result<String> {
    let mut best: Vec<char> = text.chars().collect();
    let mut trials = 0;
    let mut run = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < best.len() && trials < MOST_TRIALS {
            let mut candidate = best.clone();
            candidate.drain(at..(at + run).min(best.len()));
            trials += 1;
            if !candidate.is_empty() && shows(&String::from_iter(&candidate))? {
                best = candidate;
                smaller = true;
            } else {
                at += run;
            }
        }
        if run == 1 && !smaller || trials >= MOST_TRIALS {
            break;
        }
        if !smaller {
            run = run.div_ceil(2).min(run - 1).max(1);
        }
        run = run.min(best.len().max(1));
    }
    for at in 0..best.len() {
        for plain in PLAIN {
            if best[at] == plain || trials >= MOST_TRIALS {
                break;
            }
            let mut candidate = best.clone();
            candidate[at] = plain;
            trials += 1;
            if shows(&String::from_iter(&candidate))? {
                best = candidate;
                break;
            }
        }
    }
    Ok(String::from_iter(best))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let check = |text: &str, shows: fn(&str) -> bool, expected: &str| {
            assert!(shows(text), "{text:?}");
            assert_eq!(smallest(text, &mut |candidate| Ok(shows(candidate))).unwrap(), expected);
        };
        check(
            "some words and \u{85} a control",
            |text| text.contains('\u{85}'),
            "\u{85}",
        );
        check("x", |text| !text.is_empty(), "a");
        check("one two three", |text| text.matches('t').count() >= 2, "tt");
        check("aébéc", |text| text.contains("éb"), "éb");
        check("12345", |text| text.chars().count() >= 3, "aaa");
    }

    #[test]
    fn an_error_ends_it() {
        let mut shows = |_: &str| Err(crate::Error::new(crate::ErrorCode::Runner, "gone"));
        assert!(smallest("text", &mut shows).is_err());
    }
}
