//! Owns the decisions of known tokens, as a writer needs them before it has chosen a grid (FORMAT.md sections 5 and 8), and which trees that
//! can be. What a row says of a token is `tree`'s.

use std::ops::Range;

use super::tree::{Decision, Leaves, Tree};

/// The tokens of a lane and the decisions of each, as a writer collects them row by row.
#[derive(Clone, Debug, Default)]
pub struct LanePaths {
    pub(super) tokens: Vec<Token>,
    /// Apart from the bits: a frame has millions, and padding would nearly double them.
    log_odds: Vec<f64>,
    bits: Vec<bool>,
}

/// A token of a lane. Its decisions where the row's leader leads come first, then those where it does not; neither are there
/// where no offset needs them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) id: u32,
    /// The lead of the row's leader, in nats.
    pub(super) lead: f64,
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
                self.push_path(tree, Leaves::Others, id);
            }
        }
        let plain = self.bits.len();
        if leader.lead < 2.0 {
            self.push_path(tree, Leaves::All, id);
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

    fn push_path(&mut self, tree: &mut Tree, leaves: Leaves, id: u32) {
        for decision in tree.path(leaves, id) {
            self.push_decision(decision);
        }
    }

    fn push_decision(&mut self, Decision { bit, log_odds }: Decision) {
        self.bits.push(bit);
        self.log_odds.push(log_odds);
    }

    /// The decisions of a token where the leader leads, the first of them *leader or not*. There are none where it never does.
    pub(super) fn leader_decisions(&self, index: usize) -> impl Iterator<Item = Decision> {
        let start = index.checked_sub(1).map_or(0, |before| self.tokens[before].end);
        self.decisions(start..self.tokens[index].plain)
    }

    /// The decisions of a token where the leader does not lead. There are none where it always does.
    pub(super) fn plain_decisions(&self, index: usize) -> impl Iterator<Item = Decision> {
        let Token { plain, end, .. } = self.tokens[index];
        self.decisions(plain..end)
    }

    fn decisions(&self, range: Range<usize>) -> impl Iterator<Item = Decision> {
        let log_odds = &self.log_odds[range.clone()];
        let bits = &self.bits[range];
        std::iter::zip(bits, log_odds).map(|(&bit, &log_odds)| Decision { bit, log_odds })
    }
}
