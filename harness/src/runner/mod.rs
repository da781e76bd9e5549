//! Owns the conversation with runners: the messages, the processes that speak them, and our own inference behind the same
//! interface. It decides nothing about what is asked and compares nothing.

pub mod in_process;
mod line_json;
mod lines;
mod memory;
pub mod operations;
mod parameters;
pub mod process;
pub mod protocol;
pub mod serve;

use serde_json::Value;

use crate::runner::protocol::{Operation, Outcome, Progress, Skip, read_output};
use crate::{Error, ErrorCode, Result};

/// How a raw request that did not fail ended.
#[derive(Clone, Debug)]
pub enum RawOutcome {
    /// The result's JSON.
    Done(Value),
    /// The runner does not do this here.
    Skipped(Skip),
}

/// Called with a request's progress; an error ends the request.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> Result<()>;

/// Something that answers the requests of PROTOCOL.md about one model at a time.
pub trait Runner: Send {
    /// The name it has in reports.
    fn name(&self) -> &str;

    /// Sends one request and waits for its end.
    ///
    /// # Errors
    /// The runner's own error, or `runner` when it died, hung or broke the protocol: it is then dead and every later
    /// request fails alike.
    fn request(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome>;

    /// The execution provider that this runner is asked for, where it is not the run's.
    fn provider(&self) -> Option<&str> {
        None
    }

    /// What the runner wrote to stderr of late; empty for one in process.
    fn talk(&self) -> String;

    /// The most MiB that one of the processes of the runner has held so far; for one in process, this process. `None` where that is not known.
    fn peak_mib(&self) -> Option<u64>;

    /// Ends a runner that has broken the protocol; every later request fails with `error`.
    fn break_off(&mut self, error: &Error);

    /// Ends the runner and everything it started.
    fn stop(&mut self);
}

/// Asks `runner` for one operation.
///
/// # Errors
/// As [`Runner::request`]; `runner` when the result has another shape: the runner is then ended.
pub fn ask<O: Operation>(
    runner: &mut dyn Runner,
    params: &O,
    on_progress: OnProgress<'_>,
) -> Result<Outcome<O::Output>> {
    let json = serde_json::to_value(params).map_err(|source| {
        Error::new(
            ErrorCode::Internal,
            format!("cannot write a `{}` request: {source}", O::NAME),
        )
    })?;
    match runner.request(O::NAME, json, on_progress)? {
        RawOutcome::Done(value) => {
            let output = read_output::<O>(runner.name(), value).inspect_err(|error| runner.break_off(error));
            output.map(Outcome::Done)
        }
        RawOutcome::Skipped(skip) => Ok(Outcome::Skipped(skip)),
    }
}
