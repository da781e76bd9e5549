//! Owns the binary tree over token ids: from a row of logits to the log-odds of a token's decisions (FORMAT.md section 5). It knows
//! nothing of grids or streams.

use crate::model::source::Row;
use crate::{Error, ErrorCode, Result};

/// Weights are those of logits at most this far below the row's maximum.
const LOWEST: f64 = -600.0;

/// The smallest depth whose tree has a leaf for each of `vocab_size` ids.
#[must_use]
pub const fn tree_depth(vocab_size: usize) -> u32 {
    vocab_size.next_power_of_two().trailing_zeros()
}

/// One binary choice on the way from the root to a token's leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Which half the token is in: true is the right one, with the greater ids.
    pub bit: bool,
    /// The row's log-odds of the right half.
    pub log_odds: f64,
}

/// The masses of all nodes of the tree, for one row at a time.
#[derive(Clone, Debug)]
pub struct Tree {
    vocab_size: usize,
    depth: u32,
    /// Node `q` of level `d` is entry `2^d + q`; the root is entry 1, the leaves are the second half.
    masses: Vec<f64>,
    maximum: f64,
}

impl Tree {
    /// A tree without masses for `vocab_size` ids, at least 2.
    #[must_use]
    pub fn new(vocab_size: usize) -> Self {
        let depth = tree_depth(vocab_size);
        Self {
            vocab_size,
            depth,
            masses: vec![0.0; 2 << depth],
            maximum: 0.0,
        }
    }

    /// `V`, the number of ids.
    #[must_use]
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// `D`, the number of decisions on the way to a leaf.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Takes in a row of `vocab_size` logits; everything else then speaks of it.
    ///
    /// # Errors
    /// `model` when a logit is NaN or infinite, or the row has another length.
    pub fn tree_masses(&mut self, row: Row<'_>) -> Result<()> {
        if row.len() != self.vocab_size {
            return Err(Error::new(
                ErrorCode::Model,
                format!("a row of {} logits for a vocabulary of {}", row.len(), self.vocab_size),
            ));
        }
        let leaves = &mut self.masses[1 << self.depth..][..self.vocab_size];
        self.maximum = match row {
            Row::F32(logits) => weights(logits, leaves),
            Row::F16(logits) => weights(logits, leaves),
        }?;
        // From the leaves up, level by level; nodes without ids below V keep their 0.
        for level in (0..self.depth).rev() {
            let (upper, lower) = self.masses.split_at_mut(2 << level);
            let used = self.vocab_size.div_ceil(1 << (self.depth - level));
            let parents = &mut upper[1 << level..][..used];
            for (parent, children) in parents.iter_mut().zip(lower.as_chunks::<2>().0) {
                *parent = children[0] + children[1];
            }
        }
        Ok(())
    }

    /// The log-odds of bit 1 at the node of `prefix` before bit `level` (from 0), or `None` where the right half holds no id: the
    /// bit is 0 there and nothing is coded.
    #[must_use]
    pub fn log_odds(&self, level: u32, prefix: u32) -> Option<f64> {
        let first_right = (2 * prefix as usize + 1) << (self.depth - 1 - level);
        if first_right >= self.vocab_size {
            return None;
        }
        let left = (2 << level) + 2 * prefix as usize;
        Some(self.masses[left + 1].ln() - self.masses[left].ln())
    }

    /// The decisions that lead to `id`, which is below `vocab_size`.
    pub fn path(&self, id: u32) -> impl Iterator<Item = Decision> {
        (0..self.depth).filter_map(move |level| {
            let shift = self.depth - level;
            let log_odds = self.log_odds(level, id >> shift)?;
            Some(Decision {
                bit: (id >> (shift - 1)) & 1 == 1,
                log_odds,
            })
        })
    }

    /// The log-prob of `id` in nats, `row` being the one that was taken in.
    #[must_use]
    pub fn log_prob(&self, row: Row<'_>, id: u32) -> f64 {
        (row.logit(id as usize) - self.maximum) - self.masses[1].ln()
    }

    /// The log-probs of all ids, as [`Tree::log_prob`] gives them, in place of what `log_probs` holds.
    pub fn log_probs(&self, row: Row<'_>, log_probs: &mut Vec<f64>) {
        let total = self.masses[1].ln();
        log_probs.clear();
        match row {
            Row::F32(logits) => log_probs.extend(logits.iter().map(|&logit| (f64::from(logit) - self.maximum) - total)),
            Row::F16(logits) => log_probs.extend(logits.iter().map(|&logit| (f64::from(logit) - self.maximum) - total)),
        }
    }
}

/// Writes the weights of `logits` and gives their maximum.
fn weights<T: Copy + Into<f64>>(logits: &[T], weights: &mut [f64]) -> Result<f64> {
    let mut maximum = f64::NEG_INFINITY;
    let mut finite = true;
    for &logit in logits {
        let logit: f64 = logit.into();
        finite &= logit.is_finite();
        maximum = if logit > maximum { logit } else { maximum };
    }
    if !finite {
        return Err(not_finite(logits));
    }
    // Apart from exp, so that the conversion vectorises.
    for (weight, &logit) in weights.iter_mut().zip(logits) {
        *weight = (logit.into() - maximum).max(LOWEST);
    }
    for weight in weights {
        *weight = weight.exp();
    }
    Ok(maximum)
}

fn not_finite<T: Copy + Into<f64>>(logits: &[T]) -> Error {
    let values = logits.iter().map(|&logit| logit.into());
    let bad: Vec<(usize, f64)> = values.enumerate().filter(|(_, logit)| !logit.is_finite()).collect();
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
mod tests;
