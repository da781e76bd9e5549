//! Owns our own inference behind the interface of the other runners, without a process.

use std::path::PathBuf;

use serde_json::Value;

use super::operations::Operations;
use super::serve::Handler;
use super::{OnProgress, RawOutcome, Runner};
use crate::Result;

/// The Rust runner, in this process.
#[derive(Debug)]
pub struct InProcessRunner {
    name: String,
    operations: Operations,
}

impl InProcessRunner {
    /// A runner over the ONNX Runtime library at `runtime_library`.
    #[must_use]
    pub fn new(name: &str, runtime_library: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            operations: Operations::new(name, runtime_library),
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

    fn stop(&mut self) {}
}
