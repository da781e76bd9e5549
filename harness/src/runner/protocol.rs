//! Owns the messages of PROTOCOL.md as types that take what `harness/schemas/protocol.json` allows and nothing else: no process, no
//! file, no model. The lines are here, what operations ask and answer in `messages`.

mod messages;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::model::fingerprint::{Fingerprint, GraphOptimization};
pub use crate::model::graph::GraphView as InspectResult;
use crate::{Error, ErrorCode, Result};
pub use messages::{
    Bench, BenchResult, BenchTime, Bye, ByeResult, Compress, CompressResult, Decompress, DecompressResult, Detokenize,
    DetokenizeResult, Hello, HelloResult, Inspect, Load, LoadResult, Logprobs, LogprobsResult, PlanParams, Tokenize,
    TokenizeResult,
};

/// The protocol's version.
pub const PROTOCOL_VERSION: u32 = 1;

/// The longest line either side may send, in bytes, without its end.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// A line from the orchestrator to a runner.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestLine {
    /// Chosen by the orchestrator; every reply echoes it.
    pub id: u64,
    /// The operation's name.
    pub op: String,
    /// The operation's parameters; an object.
    #[serde(default = "no_params")]
    pub params: Value,
}

fn no_params() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A line from a runner to the orchestrator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyLine {
    /// The id of the request that is answered.
    pub id: u64,
    /// What it is.
    #[serde(flatten)]
    pub body: ReplyBody,
}

/// The four forms of a reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyBody {
    /// The request was carried out.
    Result(Value),
    /// The runner cannot do this here, and says why.
    Skip(Skip),
    /// The request failed.
    Error(Error),
    /// The request is under way.
    Progress(Progress),
}

/// Why a runner does not do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// For a person to read.
    pub reason: String,
}

/// How far a request is; the unit is the operation's own (tokens, mostly).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
}

/// How a request that did not fail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was carried out.
    Done(T),
    /// The runner does not do this here.
    Skipped(Skip),
}

/// An operation's parameters, with its name and the type of its result.
pub trait Operation: Serialize {
    /// The name in the `op` field.
    const NAME: &'static str;
    /// What comes back.
    type Output: DeserializeOwned;
}

/// The operations that every runner has: without them it cannot be greeted, given a model, or parted from.
pub const REQUIRED_OPERATIONS: [&str; 3] = [Hello::NAME, Load::NAME, Bye::NAME];

impl HelloResult {
    /// A required operation that `ops` does not name.
    #[must_use]
    pub fn missing_operation(&self) -> Option<&'static str> {
        REQUIRED_OPERATIONS
            .into_iter()
            .find(|required| !self.ops.iter().any(|op| op == required))
    }
}

/// Why `op` is not asked of a runner whose `ops` are these; nothing where they name it.
#[must_use]
pub fn why_not_asked(op: &str, ops: &[String]) -> Option<Skip> {
    (!ops.iter().any(|named| named == op)).then(|| Skip {
        reason: format!("`{op}` is not among the operations that hello names"),
    })
}

/// Reads a result of operation `O` out of JSON.
///
/// # Errors
/// `runner` when the JSON has another shape.
pub fn read_output<O: Operation>(runner: &str, value: Value) -> Result<O::Output> {
    from_object(value).map_err(|reason| {
        Error::new(
            ErrorCode::Runner,
            format!("{runner} answered `{}` with another shape: {reason}", O::NAME),
        )
        .with_hint("PROTOCOL.md and harness/schemas/protocol.json say what the answer looks like")
    })
}

/// Reads a type with named members out of JSON; serde alone would also take a list of their values.
pub(super) fn from_object<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if !value.is_object() {
        return Err("it is not an object".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
