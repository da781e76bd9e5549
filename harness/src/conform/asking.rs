//! Owns one runner's requests during a run: each is timed, each failure becomes a row, and a runner that broke is not asked
//! again.

use std::time::Instant;

use crate::report::{FailureEntry, SkipEntry, StageEntry};
use crate::runner::protocol::{Operation, Outcome, Progress, Skip, why_not_asked};
use crate::runner::{Runner, ask};
use crate::{Error, ErrorCode, interrupt};

/// Told how a run goes on, from several threads at once.
pub trait Observer: Sync {
    /// A runner works on a request; `progress` is there when it tells.
    fn working(&self, runner: &str, model: &str, request: &str, progress: Option<Progress>);
    /// A runner has nothing to do.
    fn resting(&self, runner: &str);
}

/// What came of a runner's requests.
#[derive(Debug, Default)]
pub struct Log {
    /// Requests that failed.
    pub failures: Vec<FailureEntry>,
    /// Requests that were skipped.
    pub skips: Vec<SkipEntry>,
    /// Time spent.
    pub stages: Vec<StageEntry>,
    /// Whether the runner can no longer be asked.
    pub broken: bool,
}

/// Asks one runner about one model; what it does not have is not asked, but logged as skipped.
pub struct Asking<'a> {
    runner: &'a mut dyn Runner,
    ops: &'a [String],
    model: &'a str,
    observer: &'a dyn Observer,
    /// What came of it so far.
    pub log: Log,
}

impl<'a> Asking<'a> {
    /// Nothing asked yet; `ops` are the operations that the runner's `hello` names.
    pub fn new(runner: &'a mut dyn Runner, ops: &'a [String], model: &'a str, observer: &'a dyn Observer) -> Self {
        Self {
            runner,
            ops,
            model,
            observer,
            log: Log::default(),
        }
    }

    /// The runner's name.
    pub fn name(&self) -> &str {
        self.runner.name()
    }

    /// The execution provider that the runner is asked for, where it is not the run's.
    pub fn provider(&self) -> Option<&str> {
        self.runner.provider()
    }

    /// Asks; what failed or was skipped is logged and gives nothing.
    pub fn ask<O: Operation>(&mut self, label: &str, params: &O) -> Option<O::Output> {
        if self.log.broken || interrupt::check().is_err() {
            return None;
        }
        if let Some(skip) = why_not_asked(O::NAME, self.ops) {
            self.skip(label, skip);
            return None;
        }
        let started = Instant::now();
        let name = self.runner.name().to_owned();
        let (observer, model) = (self.observer, self.model);
        observer.working(&name, model, label, None);
        let outcome = ask(self.runner, params, &mut |progress| {
            observer.working(&name, model, label, Some(progress));
            interrupt::check()
        });
        observer.resting(&name);
        self.log.stages.push(stage(model, label, &name, started));
        match outcome {
            Ok(Outcome::Done(output)) => Some(output),
            Ok(Outcome::Skipped(skip)) => {
                self.skip(label, skip);
                None
            }
            Err(error) => {
                self.fail(label, error);
                None
            }
        }
    }

    fn skip(&mut self, label: &str, skip: Skip) {
        self.log.skips.push(SkipEntry {
            runner: self.runner.name().to_owned(),
            model: self.model.to_owned(),
            request: label.to_owned(),
            reason: skip.reason,
        });
    }

    /// Logs a failure of the runner that was found after its answer.
    pub fn fail(&mut self, label: &str, error: Error) {
        if matches!(error.code, ErrorCode::Runner | ErrorCode::Interrupted) {
            self.log.broken = true;
            self.runner.break_off(&error);
        }
        let talk = self.runner.talk();
        self.log
            .failures
            .push(failure(self.runner.name(), self.model, label, error, talk));
    }
}

/// A row of the report for a request that failed.
pub fn failure(runner: &str, model: &str, request: &str, error: Error, stderr: String) -> FailureEntry {
    FailureEntry {
        runner: runner.to_owned(),
        model: model.to_owned(),
        request: request.to_owned(),
        error,
        stderr,
    }
}

/// A row of the report for time spent since `started`.
pub fn stage(model: &str, name: &str, runner: &str, started: Instant) -> StageEntry {
    StageEntry {
        model: model.to_owned(),
        name: name.to_owned(),
        runner: runner.to_owned(),
        seconds: started.elapsed().as_secs_f64(),
    }
}
