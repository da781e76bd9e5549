//! Owns the weights of a row (FORMAT.md section 5): the passes over all logits that every row costs, whether or not a tree is built on
//! them. They are written so that they vectorise.

use crate::{Error, ErrorCode, Result};

/// Weights are those of logits at most this far below the row's maximum.
const LOWEST: f64 = -600.0;

/// How many values are treated side by side.
const WIDTH: usize = 8;

/// What the passes over a row find besides the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// The largest logit.
    pub maximum: f64,
    /// The smallest id whose logit is the maximum; its weight is 1.
    pub leader: usize,
    /// The maximum minus the largest logit of the other ids.
    pub lead: f64,
    /// The sum of the weights of the other ids.
    pub others: f64,
}

/// Writes the weights of a row's `logits`, at least 2, over `weights`, of the same length.
///
/// # Errors
/// `model` when a logit is NaN or infinite.
pub fn weigh(logits: &[f32], weights: &mut [f64]) -> Result<Found> {
    let (maximum, second) = two_largest(logits).ok_or_else(|| not_finite(logits))?;
    let leader = logits.iter().position(|&logit| logit == maximum).unwrap_or(0);
    let (maximum, second) = (f64::from(maximum), f64::from(second));
    for (weight, &logit) in weights.iter_mut().zip(logits) {
        *weight = (f64::from(logit) - maximum).max(LOWEST);
    }
    for weight in &mut *weights {
        *weight = weight.exp();
    }
    // Summed without the leader: the others may be too small to be seen beside it.
    weights[leader] = 0.0;
    let others = sum(weights);
    weights[leader] = 1.0;
    Ok(Found {
        maximum,
        leader,
        lead: maximum - second,
        others,
    })
}

/// The largest logit and the largest of the rest, or `None` where one is NaN or infinite.
fn two_largest(logits: &[f32]) -> Option<(f32, f32)> {
    let mut first = [f32::NEG_INFINITY; WIDTH];
    let mut second = [f32::NEG_INFINITY; WIDTH];
    // A NaN or an infinity makes a NaN of this, and nothing else does.
    let mut zeros = [0.0; WIDTH];
    let (chunks, rest) = logits.as_chunks::<WIDTH>();
    for chunk in chunks {
        for lane in 0..WIDTH {
            let logit = chunk[lane];
            zeros[lane] += logit * 0.0;
            second[lane] = greater(second[lane], lesser(first[lane], logit));
            first[lane] = greater(first[lane], logit);
        }
    }
    for (lane, &logit) in rest.iter().enumerate() {
        zeros[lane] += logit * 0.0;
        second[lane] = greater(second[lane], lesser(first[lane], logit));
        first[lane] = greater(first[lane], logit);
    }
    let mut largest = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for value in first.into_iter().chain(second) {
        largest = (greater(largest.0, value), greater(largest.1, lesser(largest.0, value)));
    }
    zeros.iter().all(|zero| zero.is_finite()).then_some(largest)
}

/// Plain comparisons, as one instruction each; there is no NaN whose order matters.
const fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

const fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

fn sum(weights: &[f64]) -> f64 {
    let mut sums = [0.0; WIDTH];
    let (chunks, rest) = weights.as_chunks::<WIDTH>();
    for chunk in chunks {
        for lane in 0..WIDTH {
            sums[lane] += chunk[lane];
        }
    }
    sums.iter().chain(rest).sum()
}

fn not_finite(logits: &[f32]) -> Error {
    let bad: Vec<(usize, &f32)> = logits
        .iter()
        .enumerate()
        .filter(|(_, logit)| !logit.is_finite())
        .collect();
    let first = bad
        .first()
        .map_or(String::new(), |(id, logit)| format!(", the first {logit} for id {id}"));
    Error::new(
        ErrorCode::Model,
        format!(
            "the graph gave a row with {} logits that are NaN or infinite{first}",
            bad.len()
        ),
    )
    .with_hint("try the model's variant with 32-bit activations, or another execution provider")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value out of place in one lane of the passes, in the rest, or in a row without a whole chunk.
    #[test]
    fn every_place_counts() {
        for length in 2..40 {
            for place in 0..length {
                let mut row = vec![-1.0; length];
                row[place] = 2.0;
                let mut weights = vec![0.0; length];
                let found = weigh(&row, &mut weights).unwrap();
                assert_eq!((found.maximum, found.leader, found.lead), (2.0, place, 3.0));
                assert!((found.others - (length as f64 - 1.0) * (-3f64).exp()).abs() < 1e-12);
                row[(place + 1) % length] = 1.5;
                assert_eq!(weigh(&row, &mut weights).unwrap().lead, 0.5);
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    row[place] = bad;
                    assert_eq!(weigh(&row, &mut weights).unwrap_err().code, ErrorCode::Model);
                }
            }
        }
    }
}
