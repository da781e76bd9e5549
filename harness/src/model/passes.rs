//! Owns what must hold of every pass through a graph, whichever engine runs it: what is fed, and the shapes that come back.

use super::signature::{Batch, BatchPolicy, CacheSlot};
use crate::{Error, ErrorCode, Result};

/// Holds a number of lanes to what the graph takes.
///
/// # Errors
/// `unsupported`.
pub(super) fn check_batch(policy: &BatchPolicy, batch: usize) -> Result<()> {
    if batch == 1 || (batch > 1 && policy.batch == Batch::Dynamic) {
        return Ok(());
    }
    let message = format!("the graph takes one lane at a time, not {batch}: {}", policy.reason);
    Err(Error::new(ErrorCode::Unsupported, message).with_hint("run the lanes one after another"))
}

/// Holds the ids of a pass to its shape, `[batch, length]`, and to the vocabulary.
///
/// # Errors
/// `internal` for another shape, `usage` for an id that is not in the vocabulary.
pub(super) fn check_ids(ids: &[u32], batch: usize, length: usize, vocab_size: usize) -> Result<()> {
    if length == 0 || ids.len() != batch * length {
        let message = format!("{} ids are not {batch} lanes of {length}", ids.len());
        return Err(Error::new(ErrorCode::Internal, message));
    }
    if let Some(id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
        let message = format!("token id {id} is not below the vocabulary size {vocab_size}");
        return Err(Error::new(ErrorCode::Usage, message).with_hint("use ids that this model's tokenizer gives"));
    }
    Ok(())
}

/// Holds the shape of a pass's logits to what was fed.
///
/// # Errors
/// `vocabulary` for another width, `model` for another shape.
pub(super) fn check_logits(shape: &[i64], [batch, length]: [usize; 2], vocab_size: usize) -> Result<()> {
    let fed = [batch as i64, length as i64];
    match *shape {
        [b, n, width] if [b, n] == fed && width == vocab_size as i64 => Ok(()),
        [b, n, width] if [b, n] == fed => Err(Error::new(
            ErrorCode::Vocabulary,
            format!("the graph predicts {width} tokens, config.json has a vocab_size of {vocab_size}"),
        )
        .with_hint("take graph and config.json from the same model")),
        _ => Err(Error::new(
            ErrorCode::Model,
            format!("the graph cannot be driven: {batch} lanes of {length} ids gave logits of shape {shape:?}"),
        )
        .with_hint("use an export that gives logits after every id")),
    }
}

/// The shape of a cache of `batch` lanes and `length` positions.
pub(super) fn cache_shape(slot: &CacheSlot, batch: usize, length: usize) -> Vec<i64> {
    let mut shape = slot.shape.iter().map(|&size| size as i64).collect::<Vec<_>>();
    shape[0] = batch as i64;
    shape[slot.past_axis] = length as i64;
    shape
}

/// Holds the shape of a present output to what its cache must become after `length` positions.
///
/// # Errors
/// `model`.
pub(super) fn check_present(slot: &CacheSlot, shape: &[i64], batch: usize, length: usize) -> Result<()> {
    let expected = cache_shape(slot, batch, length);
    if shape == expected {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Model,
        format!(
            "the graph cannot be driven: after {length} positions the cache of {} has shape {shape:?}, not {expected:?}",
            slot.name
        ),
    )
    .with_hint("use an export whose present outputs are the past and the new positions"))
}

/// Holds a number of lanes that stay to those that are there.
///
/// # Errors
/// `internal`.
pub(super) fn check_kept(batch: usize, of: usize) -> Result<()> {
    if (1..=of).contains(&batch) {
        return Ok(());
    }
    let message = format!("cannot keep {batch} lanes of a cache of {of}");
    Err(Error::new(ErrorCode::Internal, message))
}
