//! Owns what a row of logits says of a token (FORMAT.md section 5): its leader, and the binary tree over token ids with the log-odds of
//! its decisions. It knows nothing of grids or streams.

mod weights;

use half::slice::HalfFloatSliceExt;

use crate::model::source::Row;
use crate::{Error, ErrorCode, Result};

use weights::{Found, weigh};

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

/// The weights of one row at a time, and the tree that is built on them where it is asked for.
#[derive(Clone, Debug)]
pub struct Tree {
    vocab_size: usize,
    depth: u32,
    /// Node `q` of level `d` is entry `2^d + q`; the root is entry 1, the leaves are the second half.
    masses: Vec<f64>,
    found: Found,
    /// What the nodes above the leaves are the masses of; nothing in a new row.
    built: Option<Leaves>,
    /// A row of 16-bit logits, widened.
    widened: Vec<f32>,
}

impl Tree {
    /// A tree without a row, for `vocab_size` ids, at least 2.
    #[must_use]
    pub fn new(vocab_size: usize) -> Self {
        let depth = tree_depth(vocab_size);
        Self {
            vocab_size,
            depth,
            masses: vec![0.0; 2 << depth],
            found: Found::default(),
            built: None,
            widened: Vec::new(),
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

    /// Takes in a row of `vocab_size` logits; everything else then speaks of it. Only the weights are computed yet.
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
        self.built = None;
        let weights = &mut self.masses[1 << self.depth..][..self.vocab_size];
        self.found = match row {
            Row::F32(logits) => weigh(logits, weights),
            Row::F16(logits) => {
                self.widened.resize(logits.len(), 0.0);
                logits.convert_to_f32_slice(&mut self.widened);
                weigh(&self.widened, weights)
            }
        }?;
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

    /// The masses of all nodes, where `leaves` says which ids have any.
    pub fn tree_masses(&mut self, leaves: Leaves) -> Masses<'_> {
        if self.built != Some(leaves) {
            let leaf = (1 << self.depth) + self.found.leader;
            self.masses[leaf] = match leaves {
                Leaves::All => 1.0,
                Leaves::Others => 0.0,
            };
            if self.built.is_none() {
                self.sum_all();
            } else {
                self.sum_above(leaf);
            }
            self.built = Some(leaves);
        }
        Masses { tree: self }
    }

    /// The log-prob of `id` in nats, `row` being the one that was taken in.
    #[must_use]
    pub fn log_prob(&self, row: Row<'_>, id: u32) -> f64 {
        (row.logit(id as usize) - self.found.maximum) - self.log_total()
    }

    /// The log-probs of all ids, as [`Tree::log_prob`] gives them, in place of what `log_probs` holds.
    pub fn log_probs(&self, row: Row<'_>, log_probs: &mut Vec<f64>) {
        let (maximum, total) = (self.found.maximum, self.log_total());
        log_probs.clear();
        match row {
            Row::F32(logits) => log_probs.extend(logits.iter().map(|&logit| (f64::from(logit) - maximum) - total)),
            Row::F16(logits) => log_probs.extend(logits.iter().map(|&logit| (f64::from(logit) - maximum) - total)),
        }
    }

    /// The logarithm of the sum of all weights, the leader's being 1.
    fn log_total(&self) -> f64 {
        (1.0 + self.found.others).ln()
    }

    /// From the leaves up, level by level; nodes without ids below V keep their 0.
    fn sum_all(&mut self) {
        for level in (0..self.depth).rev() {
            let (upper, lower) = self.masses.split_at_mut(2 << level);
            let used = self.vocab_size.div_ceil(1 << (self.depth - level));
            let parents = &mut upper[1 << level..][..used];
            for (parent, children) in parents.iter_mut().zip(lower.as_chunks::<2>().0) {
                *parent = children[0] + children[1];
            }
        }
    }

    /// The sums that have a part in `leaf`: the same as all of them would be now.
    fn sum_above(&mut self, leaf: usize) {
        let mut node = leaf / 2;
        while node > 0 {
            self.masses[node] = self.masses[2 * node] + self.masses[2 * node + 1];
            node /= 2;
        }
    }
}

/// A row's tree with the masses of all its nodes.
#[derive(Clone, Copy, Debug)]
pub struct Masses<'t> {
    tree: &'t Tree,
}

impl<'t> Masses<'t> {
    /// `D`, the number of steps on the way to a leaf.
    #[must_use]
    pub const fn depth(self) -> u32 {
        self.tree.depth
    }

    /// The log-odds of bit 1 at the node of `prefix` before bit `level` (from 0), or `None` where the right half holds no id: the
    /// bit is 0 there and nothing is coded.
    #[must_use]
    pub fn log_odds(self, level: u32, prefix: u32) -> Option<f64> {
        let Tree {
            vocab_size,
            depth,
            masses,
            ..
        } = self.tree;
        let first_right = (2 * prefix as usize + 1) << (depth - 1 - level);
        if first_right >= *vocab_size {
            return None;
        }
        let left = (2 << level) + 2 * prefix as usize;
        Some(masses[left + 1].max(LOWEST_MASS).ln() - masses[left].max(LOWEST_MASS).ln())
    }

    /// The decisions that lead to `id`, which is below `vocab_size` and has mass.
    pub fn path(self, id: u32) -> impl Iterator<Item = Decision> + 't {
        let depth = self.depth();
        (0..depth).filter_map(move |level| {
            let shift = depth - level;
            let log_odds = self.log_odds(level, id >> shift)?;
            Some(Decision {
                bit: (id >> (shift - 1)) & 1 == 1,
                log_odds,
            })
        })
    }
}

#[cfg(test)]
mod tests;
