//! Owns the other end of the protocol: the loop that makes this program a runner on stdin and stdout, for `llmzip runner`
//! and for test runners. It must not know what the operations do.

use std::fs::File;
#[cfg(unix)]
use std::io;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use serde_json::Value;

use super::protocol::{Bye, MAX_LINE_BYTES, Operation, Progress, ReplyBody, ReplyLine, RequestLine};
use super::{OnProgress, RawOutcome};
use crate::stdio::duplicate_stdout;
use crate::{Error, ErrorCode, Result};

/// Carries out operations.
pub trait Handler {
    /// Carries out one request.
    ///
    /// # Errors
    /// What the reply's error says.
    fn handle(&mut self, op: &str, params: Value, on_progress: OnProgress<'_>) -> Result<RawOutcome>;
}

/// Answers requests until `bye` or the end of `requests`.
///
/// # Errors
/// `io` when the replies cannot be written; `usage` when a line is no request.
pub fn serve(handler: &mut dyn Handler, mut requests: impl BufRead, mut replies: impl Write) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE_BYTES as u64;
        let length = requests
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::io("read", Path::new("stdin"), &source))?;
        if length == 0 {
            return Ok(());
        }
        let request: RequestLine = serde_json::from_slice(&line).map_err(|source| {
            Error::new(ErrorCode::Usage, format!("a line on stdin is no request: {source}"))
                .with_hint("PROTOCOL.md says what a request looks like")
        })?;
        let id = request.id;
        let mut failed = None;
        let outcome = handler.handle(&request.op, request.params, &mut |progress: Progress| {
            reply(&mut replies, id, ReplyBody::Progress(progress)).inspect_err(|error| failed = Some(error.clone()))
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let body = match outcome {
            Ok(RawOutcome::Done(value)) => ReplyBody::Result(value),
            Ok(RawOutcome::Skipped(skip)) => ReplyBody::Skip(skip),
            Err(error) => ReplyBody::Error(error),
        };
        reply(&mut replies, id, body)?;
        if request.op == Bye::NAME {
            return Ok(());
        }
    }
}

fn reply(replies: &mut impl Write, id: u64, body: ReplyBody) -> Result<()> {
    let mut line = serde_json::to_vec(&ReplyLine { id, body })
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a reply: {source}")))?;
    line.push(b'\n');
    replies
        .write_all(&line)
        .and_then(|()| replies.flush())
        .map_err(|source| Error::io("write", Path::new("stdout"), &source))
}

/// Takes stdout for the replies alone: what a library prints from here on goes to stderr.
///
/// # Errors
/// `io` when the descriptor cannot be duplicated.
#[cfg(unix)]
pub fn take_stdout() -> Result<File> {
    let replies = duplicate_stdout()?;
    rustix::stdio::dup2_stdout(io::stderr())
        .map_err(|source| Error::io("point to stderr", Path::new("stdout"), &source.into()))?;
    Ok(replies)
}

/// Takes stdout for the replies.
///
/// # Errors
/// `io` when the handle cannot be duplicated.
#[cfg(windows)]
pub fn take_stdout() -> Result<File> {
    duplicate_stdout()
}
