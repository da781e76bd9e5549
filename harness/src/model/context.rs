//! Owns the context policy of FORMAT.md section 4: which ids a model is fed, in which windows, lanes and chunks, to predict
//! every token of a sequence. It knows neither what makes the logits nor what becomes of them.

mod feeder;

pub use feeder::Feeder;

use std::ops::Range;

use crate::model::source::{LogitsSource, Row};
use crate::{Error, ErrorCode, Result};

/// The most lanes that a frame may have.
pub const MAX_LANES: usize = 256;

/// The most inputs that a window may hold.
pub const MAX_WINDOW: usize = 1 << 20;

/// Bytes of the cache of the lanes that are fed at once, unless one lane alone takes more: a pass holds it two or three times.
const MAX_CACHE_BYTES: usize = 192 << 20;

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

/// The most lanes that are fed at once, where the longest has `length` tokens: what the source takes, and what memory allows.
fn max_lanes<S: LogitsSource + ?Sized>(source: &S, policy: ContextPolicy, length: usize) -> usize {
    let bytes = source.cache_bytes().saturating_mul(policy.window.min(length));
    let fitting = MAX_CACHE_BYTES
        .checked_div(bytes)
        .map_or(usize::MAX, |lanes| lanes.max(1));
    source.max_batch().min(fitting)
}

/// Which lanes are fed together: at most so many at once, in order.
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

/// A row of a pass, and which token it predicts: token `index` of lane `lane` (see [`lane_ranges`]).
#[derive(Clone, Copy, Debug)]
pub struct PlacedRow<'a> {
    /// From 0.
    pub lane: usize,
    /// From 0, within the lane.
    pub index: usize,
    /// What predicts the token.
    pub row: Row<'a>,
}

/// Computes the row that predicts each of `tokens`, fed as `plan` says, and hands the rows of each pass to `on_pass`, lane by lane, in
/// order within a lane. Lanes alternate chunk by chunk, and batches follow one another where the source takes fewer lanes at once.
///
/// # Errors
/// `vocabulary` when a token is not below the source's vocabulary size; those of the policy, the source and `on_pass`.
pub fn rows_of_known_tokens<S, F>(
    source: &mut S,
    policy: ContextPolicy,
    plan: Plan,
    tokens: &[u32],
    mut on_pass: F,
) -> Result<()>
where
    S: LogitsSource + ?Sized,
    F: FnMut(&[PlacedRow<'_>]) -> Result<()>,
{
    let vocab_size = source.vocab_size();
    tokens.iter().try_for_each(|&id| check_id(id, vocab_size))?;
    let lanes: Vec<&[u32]> = lane_ranges(tokens.len(), plan.lanes)
        .into_iter()
        .map(|range| &tokens[range])
        .collect();
    let lengths: Vec<usize> = lanes.iter().map(|lane| lane.len()).collect();
    let groups = batches(lanes.len(), max_lanes(source, policy, lengths[0]).min(plan.batch));
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
            let rows: Vec<PlacedRow<'_>> = (0..batch * length)
                .map(|place| PlacedRow {
                    lane: group.start + place / length,
                    index: index + place % length,
                    row: logits.row(place, vocab_size),
                })
                .collect();
            on_pass(&rows)?;
            index += length;
        }
    }
    Ok(())
}

/// The lockstep stepper of a reader: one token of every lane per step. `next_tokens` finds the token that each of a pass's rows predicts,
/// the rows being of one lane each, in order; the result is all lanes' tokens in order. Nothing is allocated for tokens that are not yet found.
///
/// # Errors
/// `vocabulary` when a token is not below the source's vocabulary size, `internal` when there is not a token for each row; those of the
/// policy, the source and `next_tokens`.
pub fn decode_in_lockstep<S, F>(
    source: &mut S,
    policy: ContextPolicy,
    token_count: usize,
    lanes: usize,
    mut next_tokens: F,
) -> Result<Vec<u32>>
where
    S: LogitsSource + ?Sized,
    F: FnMut(&[PlacedRow<'_>]) -> Result<Vec<u32>>,
{
    let vocab_size = source.vocab_size();
    let lengths: Vec<usize> = lane_ranges(token_count, lanes)
        .into_iter()
        .map(|range| range.len())
        .collect();
    let mut tokens: Vec<Vec<u32>> = vec![Vec::new(); lengths.len()];
    let groups = batches(lengths.len(), max_lanes(source, policy, lengths[0]));
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
            let rows: Vec<PlacedRow<'_>> = (0..batch)
                .map(|lane| PlacedRow {
                    lane: group.start + lane,
                    index,
                    row: logits.row(lane, vocab_size),
                })
                .collect();
            let found = next_tokens(&rows)?;
            if found.len() != batch {
                let message = format!("{} tokens were found for {batch} rows", found.len());
                return Err(Error::new(ErrorCode::Internal, message));
            }
            for (lane, id) in tokens[group.clone()].iter_mut().zip(found) {
                check_id(id, vocab_size)?;
                lane.push(id);
            }
            index += 1;
        }
    }
    Ok(tokens.concat())
}

#[cfg(test)]
mod tests;
