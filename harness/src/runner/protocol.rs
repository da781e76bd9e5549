//! Owns the messages of PROTOCOL.md as types, and nothing else: no process, no file, no model.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::model::fingerprint::{Fingerprint, GraphOptimization};
pub use crate::model::graph::GraphView as InspectResult;
use crate::{Error, ErrorCode, Result};

/// The protocol's version.
pub const PROTOCOL_VERSION: u32 = 1;

/// The longest line either side may send, in bytes.
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
pub struct Skip {
    /// For a person to read.
    pub reason: String,
}

/// How far a request is; the unit is the operation's own (tokens, mostly).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

macro_rules! operation {
    ($params:ty, $name:literal, $output:ty) => {
        impl Operation for $params {
            const NAME: &'static str = $name;
            type Output = $output;
        }
    };
}

/// `hello`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The orchestrator's protocol version.
    pub protocol: u32,
}
operation!(Hello, "hello", HelloResult);

/// Result of `hello`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HelloResult {
    /// The runner's protocol version.
    pub protocol: u32,
    /// The runner's own name.
    pub name: String,
    /// The operations it has.
    pub ops: Vec<String>,
    /// What is known before a model is loaded.
    pub fingerprint: Fingerprint,
}

/// `load`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Folder with `config.json` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// The graph, relative to the folder.
    pub model_file: PathBuf,
    /// What the graph's SHA-256 must be, in hex.
    pub model_sha256: String,
    /// What the tokenizer's SHA-256 must be, in hex.
    pub tokenizer_sha256: String,
    /// Threads inside an operator.
    pub threads: u32,
    /// The execution provider.
    pub provider: String,
    /// How far the runtime may rewrite the graph.
    pub graph_optimization: GraphOptimization,
}
operation!(Load, "load", LoadResult);

/// Result of `load`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// The hash the runner computed.
    pub model_sha256: String,
    /// The hash the runner computed.
    pub tokenizer_sha256: String,
    /// Last dimension of the logits.
    pub vocab_size: u32,
    /// The tokenizer's largest id, plus one.
    pub tokenizer_size: u32,
    /// `float32` or `float16`.
    pub logits_type: String,
    /// What is really used.
    pub fingerprint: Fingerprint,
}

/// `inspect`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspect {}
operation!(Inspect, "inspect", InspectResult);

/// `tokenize`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenize {
    /// Any text.
    pub text: String,
}
operation!(Tokenize, "tokenize", TokenizeResult);

/// Result of `tokenize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizeResult {
    /// Token ids.
    pub ids: Vec<u32>,
}

/// `detokenize`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detokenize {
    /// Token ids.
    pub ids: Vec<u32>,
}
operation!(Detokenize, "detokenize", DetokenizeResult);

/// Result of `detokenize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetokenizeResult {
    /// The text they stand for.
    pub text: String,
}

/// How known tokens are fed: FORMAT.md, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanParams {
    /// Lanes in a batch.
    pub lanes: u32,
    /// New inputs of a lane in one pass.
    pub chunk: u32,
}

/// `logprobs`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logprobs {
    /// The tokens to predict.
    pub ids: Vec<u32>,
    /// How they are fed.
    pub plan: PlanParams,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
    /// Where the graph's logits go.
    pub logits_file: PathBuf,
    /// Where the runner's own log-probs of `ids` go.
    pub coded_file: PathBuf,
    /// Where the runner's own log-probs of the whole vocabulary go, if they are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_file: Option<PathBuf>,
}
operation!(Logprobs, "logprobs", LogprobsResult);

/// Result of `logprobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogprobsResult {
    /// Rows written.
    pub rows: u64,
    /// Values in a row.
    pub vocab_size: u32,
    /// `float32` or `float16`.
    pub logits_type: String,
}

/// `compress`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compress {
    /// Plain bytes.
    pub input_file: PathBuf,
    /// The container.
    pub output_file: PathBuf,
    /// Lanes of a frame.
    pub lanes: u32,
    /// Such as `5e-5`, or `0`.
    pub eps: String,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
    /// Plain bytes of a frame.
    pub frame_bytes: u32,
}
operation!(Compress, "compress", CompressResult);

/// Result of `compress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompressResult {
    /// Length of the input.
    pub plain_bytes: u64,
    /// Its SHA-256, in hex.
    pub plain_sha256: String,
    /// Length of the container.
    pub container_bytes: u64,
    /// Length of all lane streams.
    pub stream_bytes: u64,
    /// Tokens of all frames.
    pub tokens: u64,
    /// SHA-256 of the tokens as u32, little-endian, in hex.
    pub tokens_sha256: String,
    /// The model's entropy of the coded tokens.
    pub entropy_bits: f64,
}

/// `decompress`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decompress {
    /// The container.
    pub input_file: PathBuf,
    /// Plain bytes.
    pub output_file: PathBuf,
}
operation!(Decompress, "decompress", DecompressResult);

/// Result of `decompress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecompressResult {
    /// Length of the output.
    pub plain_bytes: u64,
    /// Its SHA-256, in hex.
    pub plain_sha256: String,
    /// Tokens of all frames.
    pub tokens: u64,
    /// SHA-256 of the tokens as u32, little-endian, in hex.
    pub tokens_sha256: String,
}

/// `bye`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bye {}
operation!(Bye, "bye", ByeResult);

/// Result of `bye`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByeResult {}

/// Reads a result of operation `O` out of JSON.
///
/// # Errors
/// `runner` when the JSON has another shape.
pub fn read_output<O: Operation>(runner: &str, value: Value) -> Result<O::Output> {
    serde_json::from_value(value).map_err(|source| {
        Error::new(
            ErrorCode::Runner,
            format!("{runner} answered `{}` with another shape: {source}", O::NAME),
        )
        .with_hint("PROTOCOL.md and harness/schemas/protocol.json say what the answer looks like")
    })
}
