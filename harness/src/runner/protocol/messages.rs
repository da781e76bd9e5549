//! Owns what each operation is asked and what it answers, as types.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Fingerprint, GraphOptimization, InspectResult, Operation};
use crate::model::provenance::Hash;
use crate::model::source::LogitsType;

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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct LoadResult {
    /// The hash the runner computed.
    #[serde(deserialize_with = "sha256")]
    pub model_sha256: String,
    /// The hash the runner computed.
    #[serde(deserialize_with = "sha256")]
    pub tokenizer_sha256: String,
    /// Last dimension of the logits.
    #[serde(deserialize_with = "positive")]
    pub vocab_size: u32,
    /// The tokenizer's largest id, plus one.
    #[serde(deserialize_with = "positive")]
    pub tokenizer_size: u32,
    /// The type of a logit.
    pub logits_type: LogitsType,
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct LogprobsResult {
    /// Rows written.
    pub rows: u64,
    /// Values in a row.
    #[serde(deserialize_with = "positive")]
    pub vocab_size: u32,
    /// The type of a logit.
    pub logits_type: LogitsType,
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
#[serde(deny_unknown_fields)]
pub struct CompressResult {
    /// Length of the input.
    pub plain_bytes: u64,
    /// Its SHA-256, in hex.
    #[serde(deserialize_with = "sha256")]
    pub plain_sha256: String,
    /// Length of the container.
    pub container_bytes: u64,
    /// Length of all lane streams.
    pub stream_bytes: u64,
    /// Tokens of all frames.
    pub tokens: u64,
    /// SHA-256 of the tokens as u32, little-endian, in hex.
    #[serde(deserialize_with = "sha256")]
    pub tokens_sha256: String,
    /// The model's entropy of the coded tokens.
    #[serde(deserialize_with = "not_negative")]
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
#[serde(deny_unknown_fields)]
pub struct DecompressResult {
    /// Length of the output.
    pub plain_bytes: u64,
    /// Its SHA-256, in hex.
    #[serde(deserialize_with = "sha256")]
    pub plain_sha256: String,
    /// Tokens of all frames.
    pub tokens: u64,
    /// SHA-256 of the tokens as u32, little-endian, in hex.
    #[serde(deserialize_with = "sha256")]
    pub tokens_sha256: String,
}

/// `bench`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bench {
    /// Plain bytes, one frame of them.
    pub input_file: PathBuf,
    /// Lanes of the frame.
    pub lanes: u32,
    /// Such as `5e-5`, or `0`.
    pub eps: String,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
    /// How often it is compressed and decompressed.
    pub runs: u32,
}
operation!(Bench, "bench", BenchResult);

/// Result of `bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchResult {
    /// Length of the input.
    pub plain_bytes: u64,
    /// Length of the container.
    pub container_bytes: u64,
    /// Tokens of the frame.
    pub tokens: u64,
    /// Each run's compression.
    pub encode: Vec<BenchTime>,
    /// Each run's decompression.
    pub decode: Vec<BenchTime>,
}

/// One way through a container, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BenchTime {
    /// All of it.
    #[serde(deserialize_with = "above_zero")]
    pub elapsed_s: f64,
    /// As much of that as was spent inside the session.
    #[serde(deserialize_with = "not_negative")]
    pub session_s: f64,
    /// The same passes alone.
    #[serde(deserialize_with = "above_zero")]
    pub passes_s: f64,
}

/// `bye`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bye {}
operation!(Bye, "bye", ByeResult);

/// Result of `bye`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByeResult {}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Hash::deserialize(deserializer).map(String::from)
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    (number > 0)
        .then_some(number)
        .ok_or_else(|| D::Error::custom("0 is not above 0"))
}

fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let right = (number >= 0.0).then_some(number);
    right.ok_or_else(|| D::Error::custom(format!("{number} is below 0")))
}

fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let right = (number > 0.0).then_some(number);
    right.ok_or_else(|| D::Error::custom(format!("{number} is not above 0")))
}
