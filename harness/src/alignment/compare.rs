//! Owns what follows from the answers to texts: who differs, what nobody reads, what does not come back, and the smallest text of each. Texts are taken
//! smallest first, so that those for which there is no time are the largest.

use super::answers::{Answer, Reader};
use super::findings::{Difference, Findings};
use super::known::KnownDifference;
use super::shrink;
use crate::{Error, ErrorCode, Result};

/// Texts that are made smaller, for each runner: more of one cause say no more.
pub const MOST_EXAMINED: usize = 50;
/// Texts that nobody reads, or that do not come back, and are made smaller.
const MOST_EXAMPLES: usize = 10;

/// Fills `findings` from the answers that `readers` gave to `texts`; the first reader is the reference.
///
/// # Errors
/// When a reader breaks while texts are made smaller.
pub(super) fn texts(
    readers: &mut [Reader],
    texts: &[String],
    answers: &[Vec<Answer>],
    known: &[KnownDifference],
    findings: &mut Findings,
) -> Result<()> {
    let order = smallest_first(texts);
    find_refused(readers, texts, answers, &order, findings)?;
    let (reference, others) = readers
        .split_first_mut()
        .ok_or_else(|| Error::new(ErrorCode::Internal, "no reference"))?;
    let (expected, found) = answers
        .split_first()
        .ok_or_else(|| Error::new(ErrorCode::Internal, "no answers"))?;
    for (other, found) in others.iter_mut().zip(found) {
        let differing = order.iter().filter(|&&place| expected[place] != found[place]);
        find_differences(
            reference,
            other,
            differing.map(|&place| texts[place].as_str()),
            findings,
        )?;
        check_known(reference, other, known, findings)?;
    }
    let lossy = order.iter().filter(|&&place| expected[place].is_lossy(&texts[place]));
    find_lossy(reference, lossy.map(|&place| texts[place].as_str()), findings)
}

/// The places of the texts, those of the fewest characters first.
fn smallest_first(texts: &[String]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_cached_key(|&place| texts[place].chars().count());
    order
}

fn find_differences<'a>(
    reference: &mut Reader,
    other: &mut Reader,
    differing: impl Iterator<Item = &'a str>,
    findings: &mut Findings,
) -> Result<()> {
    let mut own: Vec<Difference> = Vec::new();
    for (examined, text) in differing.enumerate() {
        if examined >= MOST_EXAMINED {
            findings.unexamined += 1;
            continue;
        }
        let smallest = shrink::smallest(text, &mut |candidate| {
            Ok(reference.read(candidate)? != other.read(candidate)?)
        })?;
        if let Some(same) = own.iter_mut().find(|difference| difference.text == smallest) {
            same.count += 1;
            continue;
        }
        own.push(Difference {
            expected: reference.read(&smallest)?,
            found: other.read(&smallest)?,
            runner: other.name().to_owned(),
            text: smallest,
            count: 1,
            reason: None,
        });
    }
    own.sort_by_cached_key(|difference| difference.text.chars().count());
    findings.differences.append(&mut own);
    Ok(())
}

/// Gives known differences their reason, and finds those that are none any more.
fn check_known(
    reference: &mut Reader,
    other: &mut Reader,
    known: &[KnownDifference],
    findings: &mut Findings,
) -> Result<()> {
    let name = other.name().to_owned();
    for entry in known.iter().filter(|entry| entry.runner == name) {
        if reference.read(&entry.text)? == other.read(&entry.text)? {
            findings.outdated.push((entry.runner.clone(), entry.text.clone()));
        }
        for difference in &mut findings.differences {
            if difference.runner == entry.runner && difference.text == entry.text {
                difference.reason = Some(entry.reason.clone());
            }
        }
    }
    Ok(())
}

fn find_refused(
    readers: &mut [Reader],
    texts: &[String],
    answers: &[Vec<Answer>],
    order: &[usize],
    findings: &mut Findings,
) -> Result<()> {
    for &place in order {
        if !answers.iter().all(|answers| answers[place].is_refused()) {
            continue;
        }
        findings.refused += 1;
        if findings.refused_examples.len() == MOST_EXAMPLES {
            continue;
        }
        let mut code = None;
        let smallest = shrink::smallest(&texts[place], &mut |candidate| {
            refused_by_all(readers, candidate, &mut code)
        })?;
        // The last candidate need not have been the smallest.
        refused_by_all(readers, &smallest, &mut code)?;
        let example = (smallest, code.unwrap_or(ErrorCode::Internal));
        if !findings.refused_examples.contains(&example) {
            findings.refused_examples.push(example);
        }
    }
    Ok(())
}

/// Whether every reader refuses the text; `code` becomes the first one's error.
fn refused_by_all(readers: &mut [Reader], text: &str, code: &mut Option<ErrorCode>) -> Result<bool> {
    *code = None;
    for reader in readers {
        match reader.read(text)? {
            Answer::Read(_) => return Ok(false),
            Answer::Refused(found) => *code = code.or(Some(found)),
        }
    }
    Ok(true)
}

fn find_lossy<'a>(reference: &mut Reader, lossy: impl Iterator<Item = &'a str>, findings: &mut Findings) -> Result<()> {
    for text in lossy {
        findings.lossy += 1;
        if findings.lossy_examples.len() < MOST_EXAMPLES {
            let smallest = shrink::smallest(text, &mut |candidate| {
                Ok(reference.read(candidate)?.is_lossy(candidate))
            })?;
            if !findings.lossy_examples.contains(&smallest) {
                findings.lossy_examples.push(smallest);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_fewer_characters_come_first_and_others_keep_their_order() {
        let texts = ["abc", "\u{10ffff}", "", "ab", "b"].map(str::to_owned);
        assert_eq!(smallest_first(&texts), [2, 1, 4, 3, 0]);
    }
}
