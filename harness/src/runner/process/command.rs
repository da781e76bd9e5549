//! Owns what a runner's process is started with, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

/// How a runner's process is started.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
}

/// How long a runner may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For `load`.
    pub load: Duration,
    /// For every other request; getting further starts it anew.
    pub request: Duration,
    /// Between closing stdin, asking to terminate, and killing.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            load: Duration::from_secs(120),
            request: Duration::from_secs(300),
            grace: Duration::from_secs(3),
        }
    }
}
