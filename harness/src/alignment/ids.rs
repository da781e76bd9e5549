//! Owns ids that no text may give: every single id of the vocabulary and random pairs, and what runners decode of them. A reader of a damaged
//! or a hostile container gets such ids.

use std::collections::HashSet;

use fastrand::Rng;

use super::answers::Decoded;
use super::findings::{IdDifference, IdFindings};
use crate::{Error, ErrorCode, Result};

/// Differences that are listed, for each runner.
pub const MOST_SHOWN: usize = 50;
/// Refused ids that are listed.
const MOST_EXAMPLES: usize = 10;
/// The largest vocabulary that a container can name: FORMAT.md, section 2.
const MOST_IDS: u32 = 1 << 20;

/// How many ids are asked: the largest size that a runner states for the tokenizer.
///
/// # Errors
/// `runner` when a size is more than any container can name.
pub(super) fn size(runners: &[String], sizes: &[u32]) -> Result<u32> {
    for (name, size) in runners.iter().zip(sizes) {
        if *size > MOST_IDS {
            let message =
                format!("{name} states {size} ids of the tokenizer, more than the {MOST_IDS} that there can be");
            return Err(Error::new(ErrorCode::Runner, message).with_hint("tokenizer_size is the largest id + 1"));
        }
    }
    Ok(sizes.iter().copied().max().unwrap_or(0))
}

/// Every id by itself, then `pairs` pairs that follow from the seed.
pub(super) fn sequences(seed: u64, size: u32, pairs: usize) -> Vec<Vec<u32>> {
    let mut rng = Rng::with_seed(seed);
    let mut sequences: Vec<Vec<u32>> = (0..size).map(|id| vec![id]).collect();
    if size > 0 {
        sequences.extend((0..pairs).map(|_| vec![rng.u32(0..size), rng.u32(0..size)]));
    }
    sequences
}

/// What follows from everyone's answers to the sequences, in their order; the first runner is the reference.
pub(super) fn compare(runners: &[String], size: u32, sequences: &[Vec<u32>], decoded: &[Vec<Decoded>]) -> IdFindings {
    let mut findings = IdFindings {
        singles: size as usize,
        pairs: sequences.len() - size as usize,
        ..IdFindings::default()
    };
    let mut everyone = runners.iter().zip(decoded);
    let Some((_, expected)) = everyone.next() else {
        return findings;
    };
    for (runner, found) in everyone {
        let mut own: Vec<IdDifference> = Vec::new();
        for (ids, (expected, found)) in sequences.iter().zip(expected.iter().zip(found)) {
            if expected == found {
                continue;
            }
            // Single ids come first, so that a pair with one of them says nothing new.
            let same = |difference: &&mut IdDifference| match difference.ids.as_slice() {
                [id] => ids.contains(id),
                pair => pair == ids,
            };
            if let Some(same) = own.iter_mut().find(same) {
                same.count += 1;
            } else if own.len() == MOST_SHOWN {
                findings.unshown += 1;
            } else {
                own.push(IdDifference {
                    runner: runner.clone(),
                    ids: ids.clone(),
                    expected: expected.clone(),
                    found: found.clone(),
                    count: 1,
                });
            }
        }
        findings.differences.append(&mut own);
    }
    find_refused(sequences, decoded, &mut findings);
    findings
}

fn find_refused(sequences: &[Vec<u32>], decoded: &[Vec<Decoded>], findings: &mut IdFindings) {
    let mut single = HashSet::new();
    for (place, ids) in sequences.iter().enumerate() {
        let is_refused = decoded
            .iter()
            .all(|decoded| matches!(decoded[place], Decoded::Refused(_)));
        if !is_refused || ids.iter().any(|id| single.contains(id)) {
            continue;
        }
        if let [id] = ids.as_slice() {
            single.insert(*id);
        }
        findings.refused += 1;
        if findings.refused_examples.len() < MOST_EXAMPLES {
            findings.refused_examples.push(ids.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["one".to_owned(), "other".to_owned()]
    }

    fn found(answers: impl Fn(usize, &[u32]) -> Decoded, sequences: &[Vec<u32>], size: u32) -> IdFindings {
        let decoded: Vec<Vec<Decoded>> = (0..2)
            .map(|runner| sequences.iter().map(|ids| answers(runner, ids)).collect())
            .collect();
        compare(&names(), size, sequences, &decoded)
    }

    #[test]
    fn every_id_is_asked_and_pairs_follow_from_the_seed() {
        let asked = sequences(1, 300, 40);
        assert_eq!(asked.len(), 340);
        assert!((0..300).all(|id| asked[id as usize] == [id]));
        assert!(
            asked[300..]
                .iter()
                .all(|ids| ids.len() == 2 && ids.iter().all(|&id| id < 300))
        );
        assert_eq!(asked, sequences(1, 300, 40));
        assert_ne!(asked, sequences(2, 300, 40));
        assert!(sequences(1, 0, 40).is_empty());
    }

    #[test]
    fn a_size_that_cannot_be_is_refused_before_anything_is_asked() {
        assert_eq!(size(&names(), &[7, 9]).unwrap(), 9);
        assert_eq!(size(&names(), &[7, u32::MAX]).unwrap_err().code, ErrorCode::Runner);
    }

    #[test]
    fn pairs_with_an_id_that_differs_count_for_it_and_others_are_their_own() {
        let asked = [
            vec![0],
            vec![1],
            vec![2],
            vec![1, 2],
            vec![0, 2],
            vec![2, 1],
            vec![0, 2],
            vec![2, 0],
        ];
        let answers = |runner: usize, ids: &[u32]| {
            let differs = runner == 1 && (ids.contains(&1) || ids == [0, 2]);
            Decoded::Text(differs.to_string())
        };
        let found = found(answers, &asked, 3);
        let told: Vec<_> = found
            .differences
            .iter()
            .map(|each| (each.ids.clone(), each.count))
            .collect();
        assert_eq!(told, [(vec![1], 3), (vec![0, 2], 2)]);
        assert_eq!((found.singles, found.pairs, found.unshown, found.refused), (3, 5, 0, 0));
    }

    #[test]
    fn the_smallest_are_listed_and_the_others_counted() {
        let asked = sequences(1, 200, 100);
        let found = found(|runner, _| Decoded::Text(runner.to_string()), &asked, 200);
        let listed: Vec<u32> = found.differences.iter().map(|each| each.ids[0]).collect();
        assert_eq!(listed, (0..50).collect::<Vec<_>>());
        let told: usize = found.differences.iter().map(|each| each.count).sum();
        assert!(told > 50);
        assert_eq!(told + found.unshown, 300);
    }

    #[test]
    fn what_all_refuse_is_counted_and_what_one_refuses_differs() {
        let asked = [vec![0], vec![1], vec![2], vec![0, 1], vec![2, 2], vec![2, 0]];
        let answers = |runner: usize, ids: &[u32]| {
            if ids.contains(&1) || ids == [2, 2] || (ids.contains(&0) && runner == 1) {
                return Decoded::Refused(ErrorCode::Usage);
            }
            Decoded::Text(String::new())
        };
        let found = found(answers, &asked, 3);
        assert_eq!(found.refused_examples, [vec![1], vec![2, 2]]);
        assert_eq!(found.refused, 2);
        let told: Vec<_> = found
            .differences
            .iter()
            .map(|each| (each.ids.clone(), each.count))
            .collect();
        assert_eq!(told, [(vec![0], 2)]);
    }
}
