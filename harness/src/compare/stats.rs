//! Owns the measurement of two sets of rows against each other, streamed row by row. It judges nothing: whether a
//! difference is allowed is `classes`' business.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::rows::RowsFile;
use crate::{Error, ErrorCode, Result, interrupt};

/// Where in the sequence, and at which token of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Index of the row.
    pub position: usize,
    /// Token id within the row.
    pub token: usize,
}

/// The first place where two sets of rows differ in a bit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Divergence {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// The left logit.
    pub left: f64,
    /// The right logit.
    pub right: f64,
}

/// What was measured over all positions and the whole vocabulary. Differences are of log-probs, in nats.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairStats {
    /// Rows compared.
    pub positions: usize,
    /// Whether every logit has the same bits on both sides.
    pub bit_exact: bool,
    /// Fraction of the logits that have the same bits.
    pub identical_fraction: f64,
    /// Largest difference.
    pub max_abs: f64,
    /// 99.9th percentile of the differences, up to half a percent too large.
    pub p999_abs: f64,
    /// Largest difference of the coded tokens, by the runners' own log-probs.
    pub coded_max_abs: f64,
    /// 99.9th percentile of the same.
    pub coded_p999_abs: f64,
    /// Fraction of rows in which both sides have the same most probable token.
    pub top1_agreement: f64,
    /// Values on the left that are NaN or infinite, coded log-probs included.
    pub left_not_finite: u64,
    /// The same on the right.
    pub right_not_finite: u64,
    /// Where the largest difference is.
    pub worst: Option<Place>,
    /// The first difference in a bit.
    pub first_divergence: Option<Divergence>,
    /// The smallest tolerance that would pass: the larger of the two maxima, not finite values aside.
    pub smallest_tolerance: f64,
}

/// What was measured over the coded tokens alone. Differences are of log-probs, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CodedStats {
    /// Log-probs compared.
    pub positions: usize,
    /// Those that have the same bits.
    pub identical: usize,
    /// Largest difference.
    pub max_abs: f64,
    /// 99.9th percentile of the differences, up to half a percent too large.
    pub p999_abs: f64,
    /// Values on the left that are NaN or infinite.
    pub left_not_finite: u64,
    /// The same on the right.
    pub right_not_finite: u64,
    /// The first position whose bits differ.
    pub first: Option<usize>,
    /// The position of the largest difference.
    pub worst: Option<usize>,
}

/// Measures the log-probs of coded tokens against each other, those on the left against those on the right.
///
/// # Errors
/// `runner` when there are not equally many.
pub fn compare_coded(left: &[f64], right: &[f64]) -> Result<CodedStats> {
    if left.len() != right.len() {
        return Err(Error::new(
            ErrorCode::Runner,
            format!("{} log-probs cannot be compared with {}", left.len(), right.len()),
        ));
    }
    let mut stats = CodedStats {
        positions: left.len(),
        ..CodedStats::default()
    };
    let mut differences = Histogram::default();
    for (position, (l, r)) in left.iter().zip(right).enumerate() {
        stats.left_not_finite += u64::from(!l.is_finite());
        stats.right_not_finite += u64::from(!r.is_finite());
        if l.to_bits() == r.to_bits() {
            stats.identical += 1;
        } else if stats.first.is_none() {
            stats.first = Some(position);
        }
        let difference = (l - r).abs();
        differences.add(difference);
        if difference > stats.max_abs {
            stats.max_abs = difference;
            stats.worst = Some(position);
        }
    }
    stats.p999_abs = differences.quantile(0.999).min(stats.max_abs);
    Ok(stats)
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The graph's logits.
    pub rows: &'a RowsFile,
    /// The runner's own log-probs of the coded tokens.
    pub coded: &'a [f64],
}

/// Measures `left` against `right`.
///
/// # Errors
/// `runner` when the two cannot be compared (other lengths or vocabularies); `io`; `interrupted`.
pub fn compare(left: Side<'_>, right: Side<'_>) -> Result<PairStats> {
    let (rows, vocab_size) = (left.rows.rows, left.rows.vocab_size);
    if (rows, vocab_size) != (right.rows.rows, right.rows.vocab_size) {
        return Err(Error::new(
            ErrorCode::Runner,
            format!(
                "rows of two runners have different shapes: [{rows}, {vocab_size}] and [{}, {}]",
                right.rows.rows, right.rows.vocab_size
            ),
        ));
    }
    let mut measure = Measure::default();
    let (mut left_rows, mut right_rows) = (left.rows.open()?, right.rows.open()?);
    let same_type = left.rows.logits_type == right.rows.logits_type;
    for position in 0..rows {
        interrupt::check()?;
        left_rows.advance()?;
        right_rows.advance()?;
        let same_bytes = same_type && left_rows.bytes() == right_rows.bytes();
        measure.row(position, left_rows.logits(), right_rows.logits(), same_bytes);
    }
    let coded = compare_coded(left.coded, right.coded)?;
    Ok(measure.finish(rows, vocab_size, &coded))
}

#[derive(Default)]
struct Measure {
    stats: PairStats,
    differences: Histogram,
    identical: u64,
    same_top: u64,
    left_log_probs: Vec<f64>,
    right_log_probs: Vec<f64>,
}

impl Measure {
    fn row(&mut self, position: usize, left: &[f64], right: &[f64], same_bytes: bool) {
        let left_bad = left.iter().filter(|value| !value.is_finite()).count() as u64;
        if same_bytes {
            self.stats.left_not_finite += left_bad;
            self.stats.right_not_finite += left_bad;
            self.identical += left.len() as u64;
            self.same_top += 1;
            self.differences.add_zeros(left.len() as u64);
            return;
        }
        self.stats.left_not_finite += left_bad;
        self.stats.right_not_finite += right.iter().filter(|value| !value.is_finite()).count() as u64;
        log_probs_into(left, &mut self.left_log_probs);
        log_probs_into(right, &mut self.right_log_probs);
        for (token, (l, r)) in left.iter().zip(right).enumerate() {
            if l.to_bits() == r.to_bits() {
                self.identical += 1;
            } else if self.stats.first_divergence.is_none() {
                let place = Place { position, token };
                self.stats.first_divergence = Some(Divergence {
                    place,
                    left: *l,
                    right: *r,
                });
            }
            let difference = (self.left_log_probs[token] - self.right_log_probs[token]).abs();
            self.differences.add(difference);
            if difference > self.stats.max_abs {
                self.stats.max_abs = difference;
                self.stats.worst = Some(Place { position, token });
            }
        }
        self.same_top += u64::from(top(left) == top(right));
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    fn finish(mut self, rows: usize, vocab_size: usize, coded: &CodedStats) -> PairStats {
        let values = rows as u64 * vocab_size as u64;
        let fraction = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        self.stats.positions = rows;
        self.stats.bit_exact = self.identical == values;
        self.stats.identical_fraction = fraction(self.identical, values);
        self.stats.p999_abs = self.differences.quantile(0.999).min(self.stats.max_abs);
        self.stats.coded_max_abs = coded.max_abs;
        self.stats.coded_p999_abs = coded.p999_abs;
        self.stats.left_not_finite += coded.left_not_finite;
        self.stats.right_not_finite += coded.right_not_finite;
        self.stats.top1_agreement = fraction(self.same_top, rows as u64);
        self.stats.smallest_tolerance = self.stats.max_abs.max(self.stats.coded_max_abs);
        self.stats
    }
}

/// The log-probs of a row of logits: FORMAT.md, section 5.
fn log_probs_into(logits: &[f64], log_probs: &mut Vec<f64>) {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
    log_probs.clear();
    log_probs.extend(logits.iter().map(|logit| (logit - max) - log_sum));
}

fn top(logits: &[f64]) -> usize {
    let mut best = 0;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = token;
        }
    }
    best
}

#[cfg(test)]
mod tests;
