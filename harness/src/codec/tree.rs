//! Owns what a row of logits says of a token (FORMAT.md section 5): its leader, and the binary tree over token ids with the log-odds of
//! its decisions. It knows nothing of grids or streams.

mod weights;

use half::slice::HalfFloatSliceExt;

use crate::model::source::Row;
use crate::{Error, ErrorCode, Result};

use weights::{Found, weigh, write_weights};

/// What log-odds take for the mass of an empty half: 2^-1000.
const LOWEST_MASS: f64 = f64::from_bits((1023 - 1000) << 52);

/// The smallest depth whose tree has a leaf for each of `vocab_size` ids.
#[must_use]
pub const fn tree_depth(vocab_size: usize) -> u32 {
    vocab_size.next_power_of_two().trailing_zeros()
}

/// One binary choice: leader or not, or a step on the way from the root to a token's leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// True for the leader, or for the right half of a node, with the greater ids.
    pub bit: bool,
    /// The row's log-odds of a true bit.
    pub log_odds: f64,
}

/// A row's most probable id.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leader {
    /// The id, the smallest where several are equals.
    pub id: u32,
    /// How far its logit is above those of the other ids, in nats; 0 among equals.
    pub lead: f64,
}

/// Which ids have mass in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// All ids below the vocabulary size.
    All,
    /// All but the leader.
    Others,
}

/// A span has 2^6 ids, or all leaves of a tree that has fewer.
const SPAN_BITS: u32 = 6;

/// One row at a time, and the ways through the tree over it.
///
/// No token asks for more than one way from the root to a leaf. So the tree has two storeys, each a heap, in which entry 1 is the root and
/// entry `n` has the children `2n` and `2n + 1`: above, the masses of spans of 64 neighbouring ids, which one pass over the row gives;
/// below, those of the ids of one span, made when it is asked for. Both are kept without the leader, whose weight of 1 is added to the
/// nodes above it where it belongs to the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    vocab_size: usize,
    depth: u32,
    span_bits: u32,
    above: Vec<f64>,
    /// Whether the nodes of `above` that are no spans are summed.
    summed: bool,
    below: Vec<f64>,
    /// The span that `below` is of.
    inside: Option<usize>,
    found: Found,
    /// The row, widened where it has 16 bits.
    row: Vec<f32>,
}

impl Tree {
    /// A tree without a row, for `vocab_size` ids, at least 2.
    #[must_use]
    pub fn new(vocab_size: usize) -> Self {
        let depth = tree_depth(vocab_size);
        let span_bits = SPAN_BITS.min(depth);
        Self {
            vocab_size,
            depth,
            span_bits,
            above: vec![0.0; 2 << (depth - span_bits)],
            summed: false,
            below: vec![0.0; 2 << span_bits],
            inside: None,
            found: Found::default(),
            row: vec![0.0; vocab_size],
        }
    }

    /// `V`, the number of ids.
    #[must_use]
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// `D`, the number of steps on the way to a leaf.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// Takes in a row of `vocab_size` logits; everything else then speaks of it.
    ///
    /// # Errors
    /// `model` when a logit is NaN or infinite, or the row has another length.
    pub fn take_row(&mut self, row: Row<'_>) -> Result<()> {
        if row.len() != self.vocab_size {
            return Err(Error::new(
                ErrorCode::Model,
                format!("a row of {} logits for a vocabulary of {}", row.len(), self.vocab_size),
            ));
        }
        match row {
            Row::F32(logits) => self.row.copy_from_slice(logits),
            Row::F16(logits) => logits.convert_to_f32_slice(&mut self.row),
        }
        self.summed = false;
        self.inside = None;
        let used = self.vocab_size.div_ceil(1 << self.span_bits);
        let spans = &mut self.above[1 << (self.depth - self.span_bits)..][..used];
        self.found = weigh(&self.row, 1 << self.span_bits, spans)?;
        Ok(())
    }

    /// The row's leader.
    #[must_use]
    pub const fn leader(&self) -> Leader {
        Leader {
            id: self.found.leader as u32,
            lead: self.found.lead,
        }
    }

    /// The log-odds that the token is the row's leader.
    #[must_use]
    pub fn leader_log_odds(&self) -> f64 {
        // The logarithm of the leader's weight is 0.
        -self.found.others.ln()
    }

    /// The log-odds of bit 1 at the node of `prefix` before bit `level` (from 0) in the tree of `leaves`, or `None` where the right half
    /// holds no id: the bit is 0 there and nothing is coded.
    #[must_use]
    pub fn log_odds(&mut self, leaves: Leaves, level: u32, prefix: u32) -> Option<f64> {
        let height = self.depth - 1 - level;
        let left = 2 * prefix as usize;
        if (left + 1) << height >= self.vocab_size {
            return None;
        }
        let (masses, entry) = match level.checked_sub(self.depth - self.span_bits) {
            None => (self.sum_above(), (2 << level) + left),
            Some(deeper) => {
                let span = prefix as usize >> deeper;
                let within = left - (span << (deeper + 1));
                (self.take_span(span), (2 << deeper) + within)
            }
        };
        let (mut left_mass, mut right_mass) = (masses[entry], masses[entry + 1]);
        if leaves == Leaves::All {
            let half = self.found.leader >> height;
            left_mass += f64::from(u8::from(half == left));
            right_mass += f64::from(u8::from(half == left + 1));
        }
        Some(right_mass.max(LOWEST_MASS).ln() - left_mass.max(LOWEST_MASS).ln())
    }

    /// The decisions that lead to `id`, which is below `vocab_size` and has mass, in the tree of `leaves`.
    pub fn path(&mut self, leaves: Leaves, id: u32) -> impl Iterator<Item = Decision> {
        let depth = self.depth;
        (0..depth).filter_map(move |level| {
            let shift = depth - level;
            let log_odds = self.log_odds(leaves, level, id >> shift)?;
            Some(Decision {
                bit: (id >> (shift - 1)) & 1 == 1,
                log_odds,
            })
        })
    }

    /// The log-prob of `id` in nats.
    #[must_use]
    pub fn log_prob(&self, id: u32) -> f64 {
        (f64::from(self.row[id as usize]) - self.found.maximum) - self.log_total()
    }

    /// The log-probs of all ids, as [`Tree::log_prob`] gives them, in place of what `log_probs` holds.
    pub fn log_probs(&self, log_probs: &mut Vec<f64>) {
        let (maximum, total) = (self.found.maximum, self.log_total());
        log_probs.clear();
        log_probs.extend(self.row.iter().map(|&logit| (f64::from(logit) - maximum) - total));
    }

    /// The logarithm of the sum of all weights, the leader's being 1.
    fn log_total(&self) -> f64 {
        (1.0 + self.found.others).ln()
    }

    fn sum_above(&mut self) -> &[f64] {
        if !self.summed {
            sum_heap(&mut self.above);
            self.summed = true;
        }
        &self.above
    }

    /// The nodes of a span that holds ids.
    fn take_span(&mut self, span: usize) -> &[f64] {
        if self.inside != Some(span) {
            self.inside = Some(span);
            let first = span << self.span_bits;
            let ids = 1 << self.span_bits;
            let logits = &self.row[first..self.vocab_size.min(first + ids)];
            let leaves = &mut self.below[ids..];
            leaves.fill(0.0);
            write_weights(logits, self.found.maximum, leaves);
            if self.found.leader >> self.span_bits == span {
                leaves[self.found.leader - first] = 0.0;
            }
            sum_heap(&mut self.below);
        }
        &self.below
    }
}

/// From the leaves up.
fn sum_heap(masses: &mut [f64]) {
    for node in (1..masses.len() / 2).rev() {
        masses[node] = masses[2 * node] + masses[2 * node + 1];
    }
}

#[cfg(test)]
mod tests;
