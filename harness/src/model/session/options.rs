//! Owns how a session computes, and the limits of it.

use crate::model::context::MAX_LANES;
use crate::model::fingerprint::GraphOptimization;
use crate::model::provider::CPU;
use crate::model::signature::{Batch, BatchPolicy, CacheSlot};
use crate::{Error, ErrorCode, Result};

/// How a session computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads within one operation; at least 1.
    pub threads: u32,
    /// The execution provider, such as `cpu`.
    pub provider: String,
    /// The most lanes that are fed at once; unless given, all where the graph allows it and their cache is small enough.
    pub batch: Option<usize>,
    /// The graph optimisation level.
    pub graph_optimization: GraphOptimization,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            provider: CPU.to_owned(),
            batch: None,
            graph_optimization: GraphOptimization::All,
        }
    }
}

impl SessionOptions {
    /// The most threads that are started: more would only take memory.
    pub const MAX_THREADS: u32 = 1024;

    /// # Errors
    /// `usage` for no threads or too many, and for a batch of no lanes or too many.
    pub(in crate::model) fn check(&self) -> Result<()> {
        if !(1..=Self::MAX_THREADS).contains(&self.threads) {
            let message = format!("{} threads are not 1 to {}", self.threads, Self::MAX_THREADS);
            return Err(Error::new(ErrorCode::Usage, message).with_hint("give as many as the machine has cores"));
        }
        match self.batch {
            Some(batch) if !(1..=MAX_LANES).contains(&batch) => Err(Error::new(
                ErrorCode::Usage,
                format!("a batch of {batch} lanes is not 1 to {MAX_LANES}"),
            )
            .with_hint("give the most lanes that are to be fed at once")),
            _ => Ok(()),
        }
    }

    /// What of the cache bounds how many lanes are fed at once: all of it, unless a number was asked for.
    pub(in crate::model) fn cache_bytes(&self, caches: &[CacheSlot]) -> usize {
        match self.batch {
            Some(_) => 0,
            None => caches.iter().map(CacheSlot::bytes_per_input).sum(),
        }
    }

    /// The most lanes that may be fed at once to a graph of this policy.
    ///
    /// # Errors
    /// `unsupported` where more than one was asked for and the graph takes one at a time.
    pub(in crate::model) fn max_batch(&self, policy: &BatchPolicy) -> Result<usize> {
        match (policy.batch, self.batch) {
            (Batch::Dynamic, asked) => Ok(asked.unwrap_or(usize::MAX)),
            (Batch::Static, None | Some(1)) => Ok(1),
            (Batch::Static, Some(batch)) => Err(Error::new(
                ErrorCode::Unsupported,
                format!(
                    "the graph takes one lane at a time, not a batch of {batch}: {}",
                    policy.reason
                ),
            )
            .with_hint("leave --batch out: the lanes then run one after another")),
        }
    }
}
