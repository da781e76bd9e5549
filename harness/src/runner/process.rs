//! Owns a runner in a process of its own: starting it, talking to it within time limits, and ending it with everything it
//! started. This is where a runner is killed. It must not know what the requests mean.

mod command;

use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use process_wrap::std::{ChildWrapper, CommandWrap};
use serde_json::Value;

pub use self::command::{CommandSpec, Timeouts};
use super::line_json::parse_line;
use super::lines::{Heard, Talk, quote, read_lines};
use super::memory::peak_mib_of_tree;

use super::protocol::{Load, MAX_LINE_BYTES, Operation, ReplyBody, ReplyLine, RequestLine, from_object};
use super::{OnProgress, RawOutcome, Runner};
use crate::interrupt;
use crate::{Error, ErrorCode, Result};

/// How often a waiting orchestrator looks whether it was interrupted.
const TICK: Duration = Duration::from_millis(50);

/// A runner in a process (and process group) of its own.
pub struct ProcessRunner {
    name: String,
    provider: Option<&'static str>,
    child: Box<dyn ChildWrapper>,
    requests: Option<SyncSender<Vec<u8>>>,
    replies: Receiver<Heard>,
    talk: Talk,
    timeouts: Timeouts,
    next_id: u64,
    /// Why the runner can no longer be asked.
    broken: Option<Error>,
}

impl ProcessRunner {
    /// Starts the process.
    ///
    /// # Errors
    /// `setup` when it cannot be started.
    pub fn start(name: &str, command: &CommandSpec, timeouts: Timeouts) -> Result<Self> {
        let mut plain = Command::new(&command.program);
        plain
            .args(&command.args)
            .envs(command.env.iter().map(|(key, value)| (key, value)));
        plain
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut wrapped = CommandWrap::from(plain);
        #[cfg(unix)]
        wrapped.wrap(process_wrap::std::ProcessGroup::leader());
        #[cfg(windows)]
        wrapped.wrap(process_wrap::std::JobObject);
        let mut child = wrapped.spawn().map_err(|source| {
            Error::new(
                ErrorCode::Setup,
                format!("cannot start runner {name} ({}): {source}", command.program.display()),
            )
            .with_hint("check the command; `cargo run -- doctor` says what is missing")
        })?;
        let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::new(ErrorCode::Internal, format!("runner {name} has no pipes")));
        };
        // A runner that does not read must not block the orchestrator, so a thread of its own writes.
        let (requests, outbox) = sync_channel::<Vec<u8>>(1);
        thread::spawn(move || {
            for line in outbox {
                if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            name: name.to_owned(),
            provider: None,
            child,
            requests: Some(requests),
            replies: read_lines(stdout),
            talk: Talk::listen(stderr),
            timeouts,
            next_id: 1,
            broken: None,
        })
    }

    /// One that has a single execution provider, which is not the one that others are asked for.
    #[must_use]
    pub const fn with_provider(mut self, provider: &'static str) -> Self {
        self.provider = Some(provider);
        self
    }

    /// How a runner that was told `bye` ended, if it did within the grace period.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.wait(self.timeouts.grace)
    }

    /// Breaks off with a message, and gives the error.
    fn broken_by(&mut self, message: String) -> Error {
        let error = Error::new(ErrorCode::Runner, message).with_hint("its stderr is shown with the failure");
        self.break_off(&error);
        error
    }

    fn converse(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(id, op, params)?;
        let limit = if op == Load::NAME {
            self.timeouts.load
        } else {
            self.timeouts.request
        };
        let (mut started, mut furthest) = (Instant::now(), 0);
        loop {
            let heard = self.replies.recv_timeout(TICK);
            // Looked at whatever was heard: a runner that always talks is no excuse.
            interrupt::check().inspect_err(|error| self.break_off(error))?;
            let heard = match heard {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => {
                    self.check_time(started, limit, id, op)?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => Heard::Closed,
            };
            let reply = self.parse(id, op, heard)?;
            match reply.body {
                ReplyBody::Result(value) => return Ok(RawOutcome::Done(value)),
                ReplyBody::Skip(skip) => return Ok(RawOutcome::Skipped(skip)),
                ReplyBody::Error(error) => return Err(error),
                ReplyBody::Progress(progress) => {
                    if progress.done > furthest {
                        furthest = progress.done;
                        started = Instant::now();
                    }
                    self.check_time(started, limit, id, op)?;
                    on_progress(progress)?;
                }
            }
        }
    }

    fn check_time(&mut self, started: Instant, limit: Duration, id: u64, op: &str) -> Result<()> {
        if started.elapsed() <= limit {
            return Ok(());
        }
        Err(self.broken_by(format!(
            "runner {} did not answer request {id} (`{op}`), nor get any further with it, within {} s",
            self.name,
            limit.as_secs_f64()
        )))
    }

    fn send(&mut self, id: u64, op: &str, params: Value) -> Result<()> {
        let line = RequestLine {
            id,
            op: op.to_owned(),
            params,
        };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a `{op}` request: {source}")))?;
        if bytes.len() > MAX_LINE_BYTES {
            let message = format!("a `{op}` request of {} bytes is longer than a line may be", bytes.len());
            return Err(Error::new(ErrorCode::Usage, message).with_hint("ask for less at once"));
        }
        bytes.push(b'\n');
        let sent = match &self.requests {
            Some(requests) => requests.try_send(bytes),
            None => Err(TrySendError::Disconnected(bytes)),
        };
        sent.map_err(|_| {
            self.broken_by(format!(
                "runner {} no longer reads: request {id} (`{op}`) was lost",
                self.name
            ))
        })
    }

    fn parse(&mut self, id: u64, op: &str, heard: Heard) -> Result<ReplyLine> {
        let line = match heard {
            Heard::Line(line) => line,
            Heard::TooLong => {
                return Err(self.broken_by(format!(
                    "runner {} answered request {id} (`{op}`) with an endless line",
                    self.name
                )));
            }
            Heard::Closed => {
                let end = self.describe_end();
                return Err(self.broken_by(format!("runner {} {end} during request {id} (`{op}`)", self.name)));
            }
        };
        match parse_line(&line).and_then(from_object::<ReplyLine>) {
            Ok(reply) if reply.id == id => Ok(reply),
            Ok(reply) => Err(self.broken_by(format!(
                "runner {} answered request {id} (`{op}`) with the id {}",
                self.name, reply.id
            ))),
            Err(source) => Err(self.broken_by(format!(
                "runner {} answered request {id} (`{op}`) with a line that is no reply ({source}): {}",
                self.name,
                quote(&line)
            ))),
        }
    }

    /// How the process ended, if it did within the grace period.
    fn describe_end(&mut self) -> String {
        match self.wait(self.timeouts.grace) {
            Some(status) => format!("ended ({status})"),
            None => "closed its stdout".to_owned(),
        }
    }

    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if started.elapsed() >= limit {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[cfg(unix)]
    fn terminate(&self) {
        // SIGTERM to the whole group; that the group is already gone is no failure.
        let _ = self.child.signal(15);
    }

    #[cfg(windows)]
    fn terminate(&self) {}
}

impl Runner for ProcessRunner {
    fn name(&self) -> &str {
        &self.name
    }

    fn provider(&self) -> Option<&str> {
        self.provider
    }

    fn request(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.converse(op, params, on_progress)
    }

    fn talk(&self) -> String {
        self.talk.text()
    }

    fn peak_mib(&self) -> Option<u64> {
        peak_mib_of_tree(self.child.id())
    }

    fn break_off(&mut self, error: &Error) {
        self.broken = Some(error.clone());
        self.stop();
    }

    fn stop(&mut self) {
        // Closing stdin is the polite end; what does not hear it is terminated, then killed, with its whole group.
        self.requests = None;
        if self.wait(self.timeouts.grace).is_none() {
            self.terminate();
            self.wait(self.timeouts.grace);
        }
        // Also when the runner itself has ended: something it started may live on in its group.
        let _ = self.child.start_kill();
        let _ = self.child.try_wait();
    }
}

impl Drop for ProcessRunner {
    fn drop(&mut self) {
        self.stop();
    }
}
