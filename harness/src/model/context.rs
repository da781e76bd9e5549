//! Owns the context policy of FORMAT.md section 4: which ids a model is fed, in which windows, lanes and chunks, to predict
//! every token of a sequence. It knows neither what makes the logits nor what becomes of them.

use std::ops::Range;

use crate::model::source::{Logits, LogitsSource, Row};
use crate::{Error, ErrorCode, Result};

/// The most lanes that a frame may have.
pub const MAX_LANES: usize = 256;

/// The most inputs that a window may hold.
pub const MAX_WINDOW: usize = 1 << 20;

/// How much of what went before a model sees when it predicts a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextPolicy {
    /// The input before a lane's first token.
    pub start_token: u32,
    /// The most inputs that the cache ever holds, `2 ..= 2^20`.
    pub window: usize,
    /// How many inputs of the past a new window starts with, below `window`.
    pub overlap: usize,
}

impl ContextPolicy {
    /// Holds the policy to its limits.
    ///
    /// # Errors
    /// `usage` when a field is outside them, or the start token is not below `vocab_size`.
    pub fn check(&self, vocab_size: usize) -> Result<()> {
        if !(2..=MAX_WINDOW).contains(&self.window) || self.overlap >= self.window {
            return Err(Error::new(
                ErrorCode::Usage,
                format!(
                    "window {} with overlap {} is no context policy",
                    self.window, self.overlap
                ),
            )
            .with_hint(format!(
                "give a window from 2 to {MAX_WINDOW} and an overlap below the window"
            )));
        }
        if self.start_token as usize >= vocab_size {
            let start = self.start_token;
            let message = format!("start token {start} is not below the graph's vocabulary size {vocab_size}");
            return Err(Error::new(ErrorCode::Usage, message).with_hint("give the id of a token that the model knows"));
        }
        Ok(())
    }

    /// Whether the row after input `index` is the first of a window.
    const fn starts_window(&self, index: usize) -> bool {
        index == 0 || (index >= self.window && (index - self.window).is_multiple_of(self.window - self.overlap))
    }

    /// How many inputs from input `index` on fit its window.
    const fn room(&self, index: usize) -> usize {
        if index < self.window {
            self.window - index
        } else {
            let stride = self.window - self.overlap;
            stride - (index - self.window) % stride
        }
    }
}

fn check_id(id: u32, vocab_size: usize) -> Result<()> {
    if (id as usize) < vocab_size {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Vocabulary,
        format!("token {id} is not below the graph's vocabulary size {vocab_size}"),
    )
    .with_hint("use the tokenizer that belongs to the model"))
}

/// How known tokens are fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Contiguous lanes that the tokens are cut into. At least 1.
    pub lanes: usize,
    /// New inputs of a lane per pass, at most. At least 1.
    pub chunk: usize,
    /// The most lanes that are fed at once, where the source takes as many. At least 1.
    pub batch: usize,
}

impl Plan {
    /// As many lanes at once as the source takes.
    #[must_use]
    pub const fn new(lanes: usize, chunk: usize) -> Self {
        Self {
            lanes,
            chunk,
            batch: usize::MAX,
        }
    }
}

/// The stretches of `tokens` tokens that are the lanes. Never more lanes than tokens, and at least one.
#[must_use]
pub fn lane_ranges(tokens: usize, lanes: usize) -> Vec<Range<usize>> {
    let lanes = lanes.clamp(1, tokens.max(1));
    let (length, longer) = (tokens / lanes, tokens % lanes);
    let mut start = 0;
    (0..lanes)
        .map(|lane| {
            let end = start + length + usize::from(lane < longer);
            let range = start..end;
            start = end;
            range
        })
        .collect()
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
            let warm_up = self.policy.overlap;
            if index > 0 && warm_up > 0 {
                self.gather(batch, index - warm_up..index, &token);
                self.source.feed(&self.ids, warm_up)?;
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

/// Which lanes are fed together: as many as the source takes at once, in order.
fn batches(lanes: usize, max_batch: usize) -> Vec<Range<usize>> {
    let size = max_batch.clamp(1, lanes.max(1));
    (0..lanes)
        .step_by(size)
        .map(|start| start..lanes.min(start + size))
        .collect()
}

/// How many lanes are longer than `index`; longer lanes come first.
fn lanes_beyond(lengths: &[usize], index: usize) -> usize {
    lengths.iter().take_while(|&&length| length > index).count()
}

/// Computes the row that predicts each of `tokens`, fed as `plan` says, and hands it to `on_row(lane, index, row)`; `index` counts
/// within the lane (see [`lane_ranges`]). Within a lane rows come in order; lanes alternate chunk by chunk, and batches follow one another where
/// the source takes fewer lanes at once.
///
/// # Errors
/// `vocabulary` when a token is not below the source's vocabulary size; those of the policy, the source and `on_row`.
pub fn rows_of_known_tokens<S, F>(
    source: &mut S,
    policy: ContextPolicy,
    plan: Plan,
    tokens: &[u32],
    mut on_row: F,
) -> Result<()>
where
    S: LogitsSource + ?Sized,
    F: FnMut(usize, usize, Row<'_>) -> Result<()>,
{
    let vocab_size = source.vocab_size();
    tokens.iter().try_for_each(|&id| check_id(id, vocab_size))?;
    let lanes: Vec<&[u32]> = lane_ranges(tokens.len(), plan.lanes)
        .into_iter()
        .map(|range| &tokens[range])
        .collect();
    let lengths: Vec<usize> = lanes.iter().map(|lane| lane.len()).collect();
    let groups = batches(lanes.len(), source.max_batch().min(plan.batch));
    let mut feeder = Feeder::new(source, policy)?;
    for group in groups {
        let (lanes, lengths) = (&lanes[group.clone()], &lengths[group.clone()]);
        let mut index = 0;
        loop {
            let batch = lanes_beyond(lengths, index);
            if batch == 0 {
                break;
            }
            // The batch's shortest lane is its last one.
            let length = plan
                .chunk
                .max(1)
                .min(feeder.room(index))
                .min(lengths[batch - 1] - index);
            let logits = feeder.feed(batch, index, length, |lane, i| lanes[lane][i])?;
            for lane in 0..batch {
                for i in 0..length {
                    let row = logits.row(lane * length + i, vocab_size);
                    on_row(group.start + lane, index + i, row)?;
                }
            }
            index += length;
        }
    }
    Ok(())
}

/// The lockstep stepper of a reader: one token of every lane per step. `next_token(lane, index, row)` finds token `index` of a lane from
/// the row that predicts it; the result is all lanes' tokens in order. Nothing is allocated for tokens that are not yet found.
///
/// # Errors
/// `vocabulary` when a token is not below the source's vocabulary size; those of the policy, the source and `next_token`.
pub fn decode_in_lockstep<S, F>(
    source: &mut S,
    policy: ContextPolicy,
    token_count: usize,
    lanes: usize,
    mut next_token: F,
) -> Result<Vec<u32>>
where
    S: LogitsSource + ?Sized,
    F: FnMut(usize, usize, Row<'_>) -> Result<u32>,
{
    let vocab_size = source.vocab_size();
    let lengths: Vec<usize> = lane_ranges(token_count, lanes)
        .into_iter()
        .map(|range| range.len())
        .collect();
    let mut tokens: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
    let groups = batches(lengths.len(), source.max_batch());
    let mut feeder = Feeder::new(source, policy)?;
    for group in groups {
        let lengths = &lengths[group.clone()];
        let mut index = 0;
        loop {
            let batch = lanes_beyond(lengths, index);
            if batch == 0 {
                break;
            }
            let logits = feeder.feed(batch, index, 1, |lane, i| tokens[group.start + lane][i])?;
            for lane in 0..batch {
                let id = next_token(group.start + lane, index, logits.row(lane, vocab_size))?;
                check_id(id, vocab_size)?;
                tokens[group.start + lane].push(id);
            }
            index += 1;
        }
    }
    Ok(tokens.concat())
}

#[cfg(test)]
mod tests;
