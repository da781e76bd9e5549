//! Owns the passes through a source that a context policy asks for: windows, warm-ups, and the lanes that are left.

use std::ops::Range;

use super::ContextPolicy;
use crate::model::source::{Logits, LogitsSource};
use crate::{Error, ErrorCode, Result};

/// Rows of a pass of a warm-up, unless there are more lanes: their logits are not used, but take memory.
const WARM_UP_ROWS: usize = 256;

/// Inputs of each of `batch` lanes in one pass of a warm-up of `overlap` inputs.
const fn warm_up_chunk(batch: usize, overlap: usize) -> usize {
    if batch == 1 || batch * overlap <= WARM_UP_ROWS {
        WARM_UP_ROWS
    } else {
        // Kernels for grouped queries take many inputs after a past of one lane only.
        1
    }
}

/// Feeds a source window by window: resets it, warms it up and drops lanes when the policy says so.
#[derive(Debug)]
pub struct Feeder<'s, S: ?Sized> {
    source: &'s mut S,
    policy: ContextPolicy,
    batch: usize,
    ids: Vec<u32>,
}

impl<'s, S: LogitsSource + ?Sized> Feeder<'s, S> {
    /// A feeder that has fed nothing yet.
    ///
    /// # Errors
    /// Those of [`ContextPolicy::check`].
    pub fn new(source: &'s mut S, policy: ContextPolicy) -> Result<Self> {
        policy.check(source.vocab_size())?;
        Ok(Self {
            source,
            policy,
            batch: 0,
            ids: Vec::new(),
        })
    }

    /// How many inputs from `index` on one pass may feed: the rest of the window.
    #[must_use]
    pub const fn room(&self, index: usize) -> usize {
        self.policy.room(index)
    }

    /// Feeds inputs `index .. index + length` of the first `batch` lanes, `length` being at most [`Feeder::room`], and gives the
    /// logits after each, `[batch, length, vocab_size]`. `token(lane, i)` is token `i` of a lane; it is asked for tokens below
    /// `index + length - 1` only. Passes follow each other without gaps, and `batch` never grows within a window.
    ///
    /// # Errors
    /// Those of the source, and `model` when its logits are not of the shape that was fed.
    pub fn feed<T>(&mut self, batch: usize, index: usize, length: usize, token: T) -> Result<Logits<'_>>
    where
        T: Fn(usize, usize) -> u32,
    {
        if self.policy.starts_window(index) {
            self.source.reset(batch)?;
            let warm_up = if index > 0 { self.policy.overlap } else { 0 };
            let chunk = warm_up_chunk(batch, warm_up);
            for start in (index - warm_up..index).step_by(chunk) {
                let inputs = start..index.min(start + chunk);
                self.gather(batch, inputs.clone(), &token);
                self.source.feed(&self.ids, inputs.len())?;
            }
        } else if batch < self.batch {
            self.source.keep_lanes(batch)?;
        }
        self.batch = batch;
        self.gather(batch, index..index + length, &token);
        let vocab_size = self.source.vocab_size();
        let logits = self.source.feed(&self.ids, length)?;
        if logits.len() != batch * length * vocab_size {
            return Err(Error::new(
                ErrorCode::Model,
                format!(
                    "the graph gave {} logits for {batch} x {length} inputs and a vocabulary of {vocab_size}",
                    logits.len()
                ),
            )
            .with_hint("logits must be [batch, sequence, vocab_size]; use another export of the model"));
        }
        Ok(logits)
    }

    fn gather<T>(&mut self, batch: usize, inputs: Range<usize>, token: &T)
    where
        T: Fn(usize, usize) -> u32,
    {
        let start_token = self.policy.start_token;
        self.ids.clear();
        for lane in 0..batch {
            self.ids.extend(inputs.clone().map(|input| match input.checked_sub(1) {
                None => start_token,
                Some(previous) => token(lane, previous),
            }));
        }
    }
}
