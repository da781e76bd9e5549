//! Owns a lane's blocks: the choice of N, B and offsets, and the way of a lane's tokens into its stream and back (FORMAT.md sections 7
//! and 8). It knows nothing of containers, nor of where rows come from.

mod costs;
mod decode;
mod encode;

pub use decode::LaneDecoder;
pub use encode::{candidate_costs, cheapest_parameters, choose_parameters, encode_lane};

use std::ops::Range;

use crate::codec::tree::{Decision, Leaves, Masses, Tree};

/// The largest block length.
pub const MAX_BLOCK: usize = 4096;

/// `K` of a writer: how many offsets it tries.
pub const WRITER_OFFSETS: u32 = 32;

/// What a frame's lanes are coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `N`, the cells of the grid, `2 ..= 4096`.
    pub cells: u32,
    /// `B`, the tokens of a block, `1 ..= 4096`.
    pub block: usize,
}

/// The tokens of a lane and the decisions of each, as a writer collects them row by row.
#[derive(Clone, Debug, Default)]
pub struct LanePaths {
    tokens: Vec<Token>,
    /// Apart from the bits: a frame has millions, and padding would nearly double them.
    log_odds: Vec<f64>,
    bits: Vec<bool>,
}

/// A token of a lane. Its decisions where the row's leader leads come first, then those where it does not; neither are there
/// where no offset needs them.
#[derive(Clone, Copy, Debug)]
struct Token {
    id: u32,
    /// The lead of the row's leader, in nats.
    lead: f64,
    /// Where the decisions begin that are coded where the leader does not lead.
    plain: usize,
    /// Where the token's decisions end.
    end: usize,
}

impl LanePaths {
    /// Adds the lane's next token, `tree` having taken in the row that predicts it.
    pub fn push(&mut self, tree: &mut Tree, id: u32) {
        let leader = tree.leader();
        // What the lead must be above is 1 for one offset and below 2 for all, so most rows need one form only.
        if leader.lead > 1.0 {
            self.push_decision(Decision {
                bit: id == leader.id,
                log_odds: tree.leader_log_odds(),
            });
            if id != leader.id {
                self.push_path(tree.tree_masses(Leaves::Others), id);
            }
        }
        let plain = self.bits.len();
        if leader.lead < 2.0 {
            self.push_path(tree.tree_masses(Leaves::All), id);
        }
        self.tokens.push(Token {
            id,
            lead: leader.lead,
            plain,
            end: self.bits.len(),
        });
    }

    /// Adds the tokens of `next`, which follow these.
    pub fn append(&mut self, next: &Self) {
        let offset = self.bits.len();
        self.tokens.extend(next.tokens.iter().map(|token| Token {
            plain: offset + token.plain,
            end: offset + token.end,
            ..*token
        }));
        self.log_odds.extend_from_slice(&next.log_odds);
        self.bits.extend_from_slice(&next.bits);
    }

    /// How many tokens the lane has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the lane has no token.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    fn push_path(&mut self, masses: Masses<'_>, id: u32) {
        for decision in masses.path(id) {
            self.push_decision(decision);
        }
    }

    fn push_decision(&mut self, Decision { bit, log_odds }: Decision) {
        self.bits.push(bit);
        self.log_odds.push(log_odds);
    }

    /// The decisions of a token where the leader leads, the first of them *leader or not*. There are none where it never does.
    fn leader_decisions(&self, index: usize) -> impl Iterator<Item = Decision> {
        let start = index.checked_sub(1).map_or(0, |before| self.tokens[before].end);
        self.decisions(start..self.tokens[index].plain)
    }

    /// The decisions of a token where the leader does not lead. There are none where it always does.
    fn plain_decisions(&self, index: usize) -> impl Iterator<Item = Decision> {
        let Token { plain, end, .. } = self.tokens[index];
        self.decisions(plain..end)
    }

    fn decisions(&self, range: Range<usize>) -> impl Iterator<Item = Decision> {
        let log_odds = &self.log_odds[range.clone()];
        let bits = &self.bits[range];
        std::iter::zip(bits, log_odds).map(|(&bit, &log_odds)| Decision { bit, log_odds })
    }
}

/// The values of N and B that a writer tries for an `eps` in nats, in the order in which the first of the cheapest wins.
#[must_use]
pub fn candidates(eps: f64) -> Vec<Parameters> {
    const LADDER: [u32; 21] = [
        2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048,
    ];
    let wide_enough = |&n: &u32| f64::from(n) * f64::from(n) * f64::from(n) * eps >= 1.0;
    let place = LADDER.iter().position(wide_enough).unwrap_or(LADDER.len() - 1);
    let blocks: &[usize] = if LADDER[place] <= 12 {
        &[4, 8, 16, 32, 64]
    } else {
        &[64, 128, 256, 512, 1024, 2048, 4096]
    };
    let cells = &LADDER[place.saturating_sub(1)..LADDER.len().min(place + 2)];
    cells
        .iter()
        .flat_map(|&cells| blocks.iter().map(move |&block| Parameters { cells, block }))
        .collect()
}

#[cfg(test)]
mod tests;
