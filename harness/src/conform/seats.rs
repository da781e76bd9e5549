//! Owns who takes part in a run: members are greeted, take a seat, and work side by side, each in a thread of its own. A runner that
//! is gone keeps its seat and gives nothing. What is asked of them is `collect`'s and `read_back`'s.

use std::thread;

use super::asking::{self, failure};
use super::collect::Collected;
use super::{Observer, read_back};
use crate::report::{Report, RunnerEntry, RunnerStatus};
use crate::runner::Runner;
use crate::runner::protocol::{Hello, HelloResult, Outcome, PROTOCOL_VERSION};
use crate::{Error, ErrorCode, Result};

/// A runner that takes part, or the reason why it does not.
pub enum Member {
    /// It takes part.
    Ready(Box<dyn Runner>),
    /// It does not, which is no failure.
    Skipped {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It should have.
    Failed {
        /// Its name.
        name: String,
        /// What went wrong.
        error: Error,
    },
}

/// A runner during a run.
pub(super) struct Seat {
    /// Whom to ask.
    pub runner: Box<dyn Runner>,
    /// The operations it has; others are not asked of it.
    pub ops: Vec<String>,
    /// Its row of the report.
    pub entry: RunnerEntry,
    /// Whether it can be asked at all.
    pub alive: bool,
    /// Whether it has the present model.
    pub loaded: bool,
}

/// Greets every member; those that answer take a seat.
pub(super) fn seat(members: Vec<Member>, report: &mut Report, observer: &dyn Observer) -> Vec<Seat> {
    let mut seats = Vec::new();
    for member in members {
        let (name, mut runner) = match member {
            Member::Ready(runner) => (runner.name().to_owned(), runner),
            Member::Skipped { name, reason } => {
                let entry = RunnerEntry {
                    name,
                    status: RunnerStatus::Skipped,
                    fingerprint: None,
                    peak_mib: None,
                    reason: Some(reason),
                };
                report.runners.push(entry);
                continue;
            }
            Member::Failed { name, error } => {
                report.runners.push(failed_entry(&name));
                report.failures.push(failure(&name, "", "start", error, String::new()));
                continue;
            }
        };
        let greeted = name.clone();
        observer.working(&greeted, "", "hello", None);
        match greet(runner.as_mut()) {
            Ok(hello) => {
                let entry = RunnerEntry {
                    name,
                    status: RunnerStatus::Ok,
                    fingerprint: Some(hello.fingerprint),
                    peak_mib: None,
                    reason: None,
                };
                seats.push(Seat {
                    runner,
                    ops: hello.ops,
                    entry,
                    alive: true,
                    loaded: false,
                });
            }
            Err(error) => {
                runner.stop();
                report.runners.push(failed_entry(&name));
                report.failures.push(failure(&name, "", "hello", error, runner.talk()));
            }
        }
        observer.resting(&greeted);
    }
    seats
}

fn failed_entry(name: &str) -> RunnerEntry {
    RunnerEntry {
        name: name.to_owned(),
        status: RunnerStatus::Failed,
        fingerprint: None,
        peak_mib: None,
        reason: None,
    }
}

/// Says hello and holds the runner to the protocol's version and to the operations that every runner has.
///
/// # Errors
/// `runner` when it speaks another version, lacks such an operation, or does not answer.
pub fn greet(runner: &mut dyn Runner) -> Result<HelloResult> {
    let hello = Hello {
        protocol: PROTOCOL_VERSION,
    };
    match crate::runner::ask(runner, &hello, &mut |_| Ok(()))? {
        Outcome::Done(hello) if hello.protocol != PROTOCOL_VERSION => Err(Error::new(
            ErrorCode::Runner,
            format!(
                "{} speaks protocol {}, not {PROTOCOL_VERSION}",
                runner.name(),
                hello.protocol
            ),
        )),
        Outcome::Done(hello) => match hello.missing_operation() {
            None => Ok(hello),
            Some(op) => Err(Error::new(
                ErrorCode::Runner,
                format!(
                    "{} does not name `{op}` among its operations, which every runner must have",
                    runner.name()
                ),
            )
            .with_hint("PROTOCOL.md says which operations are required and which are optional")),
        },
        Outcome::Skipped(skip) => Err(Error::new(
            ErrorCode::Runner,
            format!(
                "{} skipped `hello`, which every runner must answer: {}",
                runner.name(),
                skip.reason
            ),
        )),
    }
}

/// What a runner's half of a run gives; a runner that is gone gives nothing.
pub(super) trait Half: Send + Default {
    /// Where failures are logged.
    fn log_mut(&mut self) -> &mut asking::Log;
}

/// Lets all living runners work at once; the answers come in the order of the seats.
pub(super) fn side_by_side<T: Half>(seats: &mut [Seat], model: &str, work: impl Fn(&mut Seat) -> T + Sync) -> Vec<T> {
    let names: Vec<String> = seats.iter().map(|seat| seat.entry.name.clone()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = seats
            .iter_mut()
            .map(|seat| scope.spawn(|| if seat.alive { work(seat) } else { T::default() }))
            .collect();
        let answers = threads.into_iter().zip(&names).map(|(thread, name)| {
            thread.join().unwrap_or_else(|_| {
                let mut half = T::default();
                let error = Error::new(ErrorCode::Internal, format!("the thread that asks {name} panicked"));
                half.log_mut().broken = true;
                half.log_mut()
                    .failures
                    .push(failure(name, model, "all", error, String::new()));
                half
            })
        });
        answers.collect()
    })
}

impl Half for Collected {
    fn log_mut(&mut self) -> &mut asking::Log {
        &mut self.log
    }
}

impl Half for read_back::Read {
    fn log_mut(&mut self) -> &mut asking::Log {
        &mut self.log
    }
}
