//! Owns our own inference behind the interface of the other runners, without a process.

use serde_json::Value;

use super::memory::own_peak_mib;
use super::operations::Operations;
use super::serve::Handler;
use super::{OnProgress, RawOutcome, Runner};
use crate::model::loaded::Engine;
use crate::{Error, Result};

/// The Rust runner, in this process.
#[derive(Debug)]
pub struct InProcessRunner {
    name: String,
    operations: Operations,
}

impl InProcessRunner {
    /// A runner over an engine.
    #[must_use]
    pub fn new(name: &str, engine: Engine) -> Self {
        Self {
            name: name.to_owned(),
            operations: Operations::new(name, engine),
        }
    }
}

impl Runner for InProcessRunner {
    fn name(&self) -> &str {
        &self.name
    }

    fn request(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        self.operations.handle(op, params, on_progress)
    }

    fn talk(&self) -> String {
        String::new()
    }

    fn peak_mib(&self) -> Option<u64> {
        own_peak_mib()
    }

    fn break_off(&mut self, _: &Error) {}

    fn stop(&mut self) {}
}
