//! Owns the weights of a row (FORMAT.md section 5): the passes over all logits that every row costs, whether or not a tree is asked
//! for. They are written so that they vectorise.

use multiversion::multiversion;

use crate::{Error, ErrorCode, Result};

/// Weights are those of logits at most this far below the row's maximum.
const LOWEST_EXPONENT: f64 = -600.0;

/// How many values are treated side by side.
const WIDTH: usize = 8;

/// What the passes over a row find besides the masses of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// The largest logit.
    pub maximum: f64,
    /// The smallest id whose logit is the maximum; its weight of 1 is in no mass.
    pub leader: usize,
    /// The maximum minus the largest logit of the other ids.
    pub lead: f64,
    /// The sum of the weights of the other ids.
    pub others: f64,
}

/// Writes the mass of each span of a row's `logits`, at least 2, over `masses`: the sum of the weights of the next `span` ids, the
/// leader's being 0.
///
/// # Errors
/// `model` when a logit is NaN or infinite.
pub fn weigh(logits: &[f32], span: usize, masses: &mut [f64]) -> Result<Found> {
    weigh_finite(logits, span, masses).ok_or_else(|| not_finite(logits))
}

/// [`weigh`], or `None` where a logit is NaN or infinite. Compiled for several kinds of processors, the best of which is taken when it
/// runs: wider registers hold more values, and each value is the same bits.
#[multiversion(targets = "simd")]
fn weigh_finite(logits: &[f32], span: usize, masses: &mut [f64]) -> Option<Found> {
    let (maximum, second) = two_largest(logits)?;
    let leader = logits.iter().position(|&logit| logit == maximum).unwrap_or(0);
    let (maximum, second) = (f64::from(maximum), f64::from(second));
    for (mass, logits) in masses.iter_mut().zip(logits.chunks(span)) {
        *mass = mass_of(logits, maximum);
    }
    // Summed without the leader: the others may be too small to be seen beside it.
    let (before, after) = logits.split_at(leader);
    let (before, after) = (&before[leader - leader % span..], &after[1..]);
    let after = &after[..after.len().min(span - 1 - leader % span)];
    masses[leader / span] = mass_of(before, maximum) + mass_of(after, maximum);
    Some(Found {
        maximum,
        leader,
        lead: maximum - second,
        others: sum(masses),
    })
}

/// Writes the weights of `logits` over `weights`.
pub fn write_weights(logits: &[f32], maximum: f64, weights: &mut [f64]) {
    for (weight, &logit) in weights.iter_mut().zip(logits) {
        *weight = weight_of(logit, maximum);
    }
}

/// The sum of the weights of `logits`.
#[inline(always)]
fn mass_of(logits: &[f32], maximum: f64) -> f64 {
    let mut sums = [0.0; WIDTH];
    let (chunks, rest) = logits.as_chunks::<WIDTH>();
    for chunk in chunks {
        for lane in 0..WIDTH {
            sums[lane] += weight_of(chunk[lane], maximum);
        }
    }
    for (sum, &logit) in sums.iter_mut().zip(rest) {
        *sum += weight_of(logit, maximum);
    }
    sums.iter().sum()
}

#[inline(always)]
fn weight_of(logit: f32, maximum: f64) -> f64 {
    exp((f64::from(logit) - maximum).max(LOWEST_EXPONENT))
}

/// e to the power of `x`, which is from -600 to 0, within 5e-16 of its value, and exactly 1 for 0.
///
/// The system's `exp` is one call for each value; this vectorises, at three times its speed without any feature of the processor that
/// is not always there. It is `2^k p(r)` with `x = k ln 2 + r` and the Taylor polynomial of degree 12 in `|r| <= ln 2 / 2`, whose rest is below
/// 2e-16. Plain sums and products give the same bits on every processor.
#[inline(always)]
fn exp(x: f64) -> f64 {
    /// Added to a number below 2^51 it leaves no digit behind the point, and a whole number in the lowest bits.
    const TO_WHOLE: f64 = 1.5 * (1_u64 << 52) as f64;
    /// The natural logarithm of 2 in two parts; the first has so few digits that its product with `k` is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
    const LN_2_LOW: f64 = std::f64::consts::LN_2 - LN_2_HIGH + LN_2_REST;
    /// What binary64 cuts off of the logarithm.
    const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
    let shifted = x * std::f64::consts::LOG2_E + TO_WHOLE;
    let k = shifted - TO_WHOLE;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    // In pairs of terms, so that they can be computed side by side.
    let r2 = r * r;
    let r4 = r2 * r2;
    let from_0 = (1.0 + r) + (1.0 / 2.0 + r * (1.0 / 6.0)) * r2;
    let from_4 = (1.0 / 24.0 + r * (1.0 / 120.0)) + (1.0 / 720.0 + r * (1.0 / 5_040.0)) * r2;
    let from_8 = (1.0 / 40_320.0 + r * (1.0 / 362_880.0)) + (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0)) * r2;
    let polynomial = from_0 + (from_4 + (from_8 + (1.0 / 479_001_600.0) * r4) * r4) * r4;
    let two_to_k = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    polynomial * two_to_k
}

/// The largest logit and the largest of the rest, or `None` where one is NaN or infinite.
#[inline(always)]
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
#[inline(always)]
const fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
const fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
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

    #[test]
    fn the_exponential_is_as_exact_as_it_says() {
        assert_eq!(exp(0.0), 1.0);
        let mut worst = 0.0_f64;
        let mut before = 0.0;
        for step in 0..=2_000_000 {
            let x = LOWEST_EXPONENT + f64::from(step) * 3e-4;
            let (found, expected) = (exp(x), x.exp());
            worst = worst.max((found / expected - 1.0).abs());
            assert!(found > before, "it grows: exp({x})");
            before = found;
        }
        assert!(worst < 5e-16, "{worst:e}");
    }

    const SPAN: usize = 16;

    fn weigh_by_spans(row: &[f32]) -> Result<(Found, Vec<f64>)> {
        let mut masses = vec![0.0; row.len().div_ceil(SPAN)];
        let found = weigh(row, SPAN, &mut masses)?;
        Ok((found, masses))
    }

    /// A value out of place in one lane of the passes, in the rest, or in a row without a whole chunk, and in each place of a span.
    #[test]
    fn every_place_counts() {
        for length in 2..70 {
            for place in 0..length {
                let mut row = vec![-1.0; length];
                row[place] = 2.0;
                let (found, masses) = weigh_by_spans(&row).unwrap();
                assert_eq!((found.maximum, found.leader, found.lead), (2.0, place, 3.0));
                assert!((found.others - (length as f64 - 1.0) * (-3f64).exp()).abs() < 1e-12);
                for (number, mass) in masses.iter().enumerate() {
                    let ids = SPAN.min(length - number * SPAN) - usize::from(place / SPAN == number);
                    assert!((mass - ids as f64 * (-3f64).exp()).abs() < 1e-13);
                }
                row[(place + 1) % length] = 1.5;
                assert_eq!(weigh_by_spans(&row).unwrap().0.lead, 0.5);
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    row[place] = bad;
                    assert_eq!(weigh_by_spans(&row).unwrap_err().code, ErrorCode::Model);
                }
            }
        }
    }

    /// What the processor's own kind of `weigh` gives is what plain code does.
    #[test]
    fn wide_registers_give_the_same_bits() {
        for length in [2, 7, 8, 9, 1000, 49_152] {
            let mut row: Vec<f32> = (0..length).map(|i| ((i * 7919) % 1009) as f32 * -0.37 + 11.0).collect();
            row[length - 1] = -700.0;
            let (found, masses) = weigh_by_spans(&row).unwrap();
            let mut sorted = row.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let [maximum, second] = [sorted[0], sorted[1]].map(f64::from);
            assert_eq!((found.maximum, found.lead), (maximum, maximum - second));
            assert_eq!(found.leader, row.iter().position(|&logit| logit == sorted[0]).unwrap());
            let mut weights = vec![0.0; length];
            write_weights(&row, maximum, &mut weights);
            for (&weight, &logit) in weights.iter().zip(&row) {
                assert_eq!(weight, exp((f64::from(logit) - maximum).max(LOWEST_EXPONENT)));
            }
            for (number, (mass, weights)) in masses.iter().zip(weights.chunks(SPAN)).enumerate() {
                let leader = found.leader % SPAN;
                let expected = if found.leader / SPAN == number {
                    sum(&weights[..leader]) + sum(&weights[leader + 1..])
                } else {
                    sum(weights)
                };
                assert_eq!(mass.to_bits(), expected.to_bits());
            }
            assert_eq!(found.others.to_bits(), sum(&masses).to_bits());
        }
    }
}
