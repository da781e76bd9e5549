//! Owns the other end of the protocol: the loop that makes this program a runner on stdin and stdout, for `llmzip runner`
//! and for test runners. It must not know what the operations do.

use std::fmt;
use std::fs::File;
#[cfg(unix)]
use std::io;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use serde_json::Value;

use super::line_json::{MAX_WHOLE, parse_line};
use super::protocol::{Bye, MAX_LINE_BYTES, Operation, Progress, ReplyBody, ReplyLine, RequestLine, from_object};
use super::{OnProgress, RawOutcome};
use crate::stdio::duplicate_stdout;
use crate::{Error, ErrorCode, Result};

/// The id of a reply to a line whose own id cannot be read.
const NO_ID: u64 = 0;

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
/// `io` when the requests cannot be read or the replies cannot be written. A line that is no request is answered with an error.
pub fn serve(handler: &mut dyn Handler, mut requests: impl BufRead, mut replies: impl Write) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE_BYTES as u64 + 1;
        let length = requests
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|source| Error::io("read", Path::new("stdin"), &source))?;
        if length == 0 {
            return Ok(());
        }
        if length as u64 == limit && line.last() != Some(&b'\n') {
            requests
                .skip_until(b'\n')
                .map_err(|source| Error::io("read", Path::new("stdin"), &source))?;
            let error = no_request(&format!("it has more than {MAX_LINE_BYTES} bytes"));
            reply(&mut replies, NO_ID, ReplyBody::Error(error))?;
            continue;
        }
        let request = match read_request(&line) {
            Ok(request) => request,
            Err((id, why)) => {
                reply(&mut replies, id, ReplyBody::Error(no_request(&why)))?;
                continue;
            }
        };
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
        let parted = request.op == Bye::NAME && !matches!(body, ReplyBody::Error(_));
        reply(&mut replies, id, body)?;
        if parted {
            return Ok(());
        }
    }
}

fn no_request(why: &dyn fmt::Display) -> Error {
    Error::new(ErrorCode::Usage, format!("a line on stdin is no request: {why}"))
        .with_hint("PROTOCOL.md says what a request looks like")
}

/// The request in a line; else the id to answer with, and what is wrong.
fn read_request(line: &[u8]) -> std::result::Result<RequestLine, (u64, String)> {
    let value = parse_line(line).map_err(|why| (NO_ID, why))?;
    let id = value.get("id").and_then(Value::as_u64).filter(|id| *id <= MAX_WHOLE);
    let Some(id) = id else {
        return Err((NO_ID, format!("it has no id that is a whole number, 0 .. {MAX_WHOLE}")));
    };
    from_object(value).map_err(|why| (id, why))
}

fn reply(replies: &mut impl Write, id: u64, body: ReplyBody) -> Result<()> {
    let write = |body| {
        serde_json::to_vec(&ReplyLine { id, body })
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a reply: {source}")))
    };
    let mut line = write(body)?;
    if line.len() > MAX_LINE_BYTES {
        let message = format!("the reply has {} bytes, more than a line may", line.len());
        let error = Error::new(ErrorCode::Usage, message).with_hint("ask for less at once");
        line = write(ReplyBody::Error(error))?;
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Answers every operation with its own name.
    struct Echo;

    impl Handler for Echo {
        fn handle(&mut self, op: &str, _: Value, _: OnProgress<'_>) -> Result<RawOutcome> {
            Ok(RawOutcome::Done(json!(op)))
        }
    }

    fn check(requests: &[u8], expected: &[Value]) {
        let mut replies = Vec::new();
        serve(&mut Echo, requests, &mut replies).unwrap();
        let lines: Vec<Value> = String::from_utf8(replies)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|mut reply: Value| {
                // What is wrong is for people to read.
                if let Some(error) = reply.get_mut("error") {
                    *error = error["code"].clone();
                }
                reply
            })
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_line_that_is_no_request_is_answered_and_the_next_one_too() {
        let hello = json!({"id": 2, "result": "hello"});
        let cases: [(&[u8], u64); 6] = [
            (b"nonsense", 0),
            (b"\xff", 0),
            (b"", 0),
            (b"[1]", 0),
            (b"{\"id\": -1, \"op\": \"hello\"}", 0),
            (b"{\"id\": 1, \"op\": 3}", 1),
        ];
        for (line, id) in cases {
            let requests = [line, b"\n{\"id\": 2, \"op\": \"hello\"}\n"].concat();
            check(&requests, &[json!({"id": id, "error": "usage"}), hello.clone()]);
        }
    }

    #[test]
    fn an_endless_line_is_skipped() {
        let requests = [
            &vec![b' '; 2 * MAX_LINE_BYTES + 5][..],
            b"\n{\"id\": 2, \"op\": \"hello\"}\n",
        ]
        .concat();
        let answers = [json!({"id": 0, "error": "usage"}), json!({"id": 2, "result": "hello"})];
        check(&requests, &answers);
    }

    #[test]
    fn a_reply_that_is_too_long_is_an_error_and_the_next_one_is_sent() {
        /// Answers with as many letters as the operation's name says.
        struct Letters;

        impl Handler for Letters {
            fn handle(&mut self, op: &str, _: Value, _: OnProgress<'_>) -> Result<RawOutcome> {
                Ok(RawOutcome::Done(json!("x".repeat(op.parse().unwrap()))))
            }
        }

        let around = r#"{"id":1,"result":""}"#.len();
        let longest = MAX_LINE_BYTES - around;
        for (letters, fits) in [(longest, true), (longest + 1, false)] {
            let requests = format!("{{\"id\": 1, \"op\": \"{letters}\"}}\n{{\"id\": 2, \"op\": \"0\"}}\n");
            let mut replies = Vec::new();
            serve(&mut Letters, requests.as_bytes(), &mut replies).unwrap();
            let lines: Vec<&[u8]> = replies.split(|byte| *byte == b'\n').collect();
            assert_eq!(lines[0].len() == MAX_LINE_BYTES, fits);
            let first: Value = serde_json::from_slice(lines[0]).unwrap();
            assert_eq!((&first["id"], first.get("error").is_none()), (&json!(1), fits));
            assert_eq!(lines[1..], [&br#"{"id":2,"result":""}"#[..], b""]);
        }
    }

    #[test]
    fn nothing_is_answered_after_bye() {
        let requests = b"{\"id\": 1, \"op\": \"bye\"}\n{\"id\": 2, \"op\": \"hello\"}\n";
        check(requests, &[json!({"id": 1, "result": "bye"})]);
    }
}
