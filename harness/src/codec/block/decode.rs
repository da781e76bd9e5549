//! Owns the reader's side of a lane: one token after another from the lane's stream and the rows that predict them.

use super::Parameters;
use crate::codec::arithmetic_coder::{AdaptiveBit, BitDecoder, PROBABILITY_ONE};
use crate::codec::grid::Grid;
use crate::codec::tree::{Leaves, Tree};
use crate::{Error, ErrorCode, Result};

/// Finds the tokens of a lane, one per row.
#[derive(Clone, Debug)]
pub struct LaneDecoder {
    decoder: BitDecoder,
    grid: Grid,
    block: usize,
    unary: Vec<AdaptiveBit>,
    /// The present block's offset index; `K` is the escape.
    offset: u32,
    /// How many tokens of the present block are still to come.
    left: usize,
}

impl LaneDecoder {
    /// A decoder at the start of a lane's stream, with the frame's parameters, its `eps` in nats and its number of `offsets`.
    #[must_use]
    pub fn new(stream: Vec<u8>, parameters: Parameters, eps: f64, offsets: u32) -> Self {
        Self {
            decoder: BitDecoder::new(stream),
            grid: Grid::new(parameters.cells, eps),
            block: parameters.block,
            unary: vec![AdaptiveBit::default(); offsets as usize],
            offset: 0,
            left: 0,
        }
    }

    /// The lane's next token, `tree` having taken in the row that predicts it.
    ///
    /// # Errors
    /// `divergence` when the stream ends too early, or names an id that is not below the vocabulary size or that it has ruled out.
    pub fn decode(&mut self, tree: &mut Tree) -> Result<u32> {
        if self.left == 0 {
            self.left = self.block;
            self.offset = self.decode_offset()?;
        }
        self.left -= 1;
        if self.offset as usize == self.unary.len() {
            return self.decode_raw(tree);
        }
        let leader = tree.leader();
        if !self.grid.leads(leader.lead, self.offset) {
            return self.decode_path(tree, Leaves::All);
        }
        if self.decode_decision(tree.leader_log_odds())? {
            return Ok(leader.id);
        }
        let id = self.decode_path(tree, Leaves::Others)?;
        if id == leader.id {
            return Err(Error::new(
                ErrorCode::Divergence,
                format!("a lane stream names token {id} after it has ruled it out"),
            ));
        }
        Ok(id)
    }

    fn decode_raw(&mut self, tree: &Tree) -> Result<u32> {
        let mut id = 0;
        for _ in 0..tree.depth() {
            id = 2 * id + u32::from(self.decoder.decode(PROBABILITY_ONE / 2)?);
        }
        if id as usize >= tree.vocab_size() {
            return Err(Error::new(
                ErrorCode::Divergence,
                format!(
                    "a lane stream names token {id} of a vocabulary of {}",
                    tree.vocab_size()
                ),
            ));
        }
        Ok(id)
    }

    /// Follows decisions from the root to a leaf; they lead to none that is not below the vocabulary size.
    fn decode_path(&mut self, tree: &mut Tree, leaves: Leaves) -> Result<u32> {
        let mut id = 0;
        for level in 0..tree.depth() {
            let bit = match tree.log_odds(leaves, level, id) {
                Some(log_odds) => self.decode_decision(log_odds)?,
                None => false,
            };
            id = 2 * id + u32::from(bit);
        }
        Ok(id)
    }

    fn decode_decision(&mut self, log_odds: f64) -> Result<bool> {
        let cell = self.grid.cell(log_odds, self.offset);
        self.decoder.decode(self.grid.probability(cell, self.offset))
    }

    fn decode_offset(&mut self) -> Result<u32> {
        for (i, bit) in (0..).zip(&mut self.unary) {
            let one = self.decoder.decode(bit.probability())?;
            bit.update(one);
            if !one {
                return Ok(i);
            }
        }
        Ok(self.unary.len() as u32)
    }
}

#[cfg(test)]
mod tests;
