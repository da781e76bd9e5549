//! Owns how long a source works: the time inside its calls, whoever makes them.

use std::time::{Duration, Instant};

use crate::Result;
use crate::model::exactness::Exactness;
use crate::model::source::{Logits, LogitsSource, LogitsType};

/// A source that adds up how long it works.
#[derive(Debug)]
pub struct TimedSource<'s, S: ?Sized> {
    source: &'s mut S,
    /// All of the time that was spent in it.
    pub spent: Duration,
}

impl<'s, S: LogitsSource + ?Sized> TimedSource<'s, S> {
    /// No time was spent yet.
    pub fn new(source: &'s mut S) -> Self {
        Self {
            source,
            spent: Duration::ZERO,
        }
    }
}

impl<S: LogitsSource + ?Sized> LogitsSource for TimedSource<'_, S> {
    fn vocab_size(&self) -> usize {
        self.source.vocab_size()
    }

    fn logits_type(&self) -> LogitsType {
        self.source.logits_type()
    }

    fn max_batch(&self) -> usize {
        self.source.max_batch()
    }

    fn cache_bytes(&self) -> usize {
        self.source.cache_bytes()
    }

    fn exactness(&self) -> Exactness {
        self.source.exactness()
    }

    fn plan_tolerance(&self) -> Option<f64> {
        self.source.plan_tolerance()
    }

    fn threads(&self) -> usize {
        self.source.threads()
    }

    fn reset(&mut self, batch: usize) -> Result<()> {
        let started = Instant::now();
        let result = self.source.reset(batch);
        self.spent += started.elapsed();
        result
    }

    fn keep_lanes(&mut self, batch: usize) -> Result<()> {
        let started = Instant::now();
        let result = self.source.keep_lanes(batch);
        self.spent += started.elapsed();
        result
    }

    fn feed(&mut self, ids: &[u32], length: usize) -> Result<Logits<'_>> {
        let started = Instant::now();
        let result = self.source.feed(ids, length);
        self.spent += started.elapsed();
        result
    }
}
