//! Owns the form of `header.json`, which says what a model's goldens are. It reads and writes no file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conform::inputs::{Input, sha256};
use crate::conform::{PLANS, Settings, Target};
use crate::runner::protocol::{CompressResult, Fingerprint, GraphOptimization};
use crate::{Error, ErrorCode, Result};

/// The version of the form.
pub const VERSION: u32 = 1;

/// The name of the file that says what the others are.
pub const HEADER_FILE: &str = "header.json";

/// `header.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the form.
    pub version: u32,
    /// The model's name in the manifest.
    pub model: String,
    /// Who wrote all of it.
    pub writer: Writer,
    /// What was asked of the writer, and what it answered.
    pub variants: Vec<Variant>,
    /// Every other file, by path.
    pub files: Vec<FileEntry>,
}

/// Who wrote goldens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// The runner's name.
    pub runner: String,
    /// What it was made of, with the model loaded.
    pub fingerprint: Fingerprint,
}

/// One graph of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What was asked.
    pub asked: Asked,
    /// Tokens of the sequence.
    pub tokens: u64,
    /// What the writer said of each container, in the order of the inputs.
    pub containers: Vec<ContainerEntry>,
}

/// Everything that answers depend on, besides the machine. Goldens are stale when it is not the same now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Model and variant, `tiny/q4f16`.
    pub name: String,
    /// The graph, relative to the model's folder.
    pub model_file: String,
    /// Its SHA-256.
    pub model_sha256: String,
    /// The tokenizer's SHA-256.
    pub tokenizer_sha256: String,
    /// Threads inside an operator.
    pub threads: u32,
    /// How far the runtime may rewrite the graph.
    pub graph_optimization: GraphOptimization,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
    /// The eps of the containers, as text.
    pub eps: String,
    /// Plain bytes of a frame.
    pub frame_bytes: u32,
    /// What is predicted.
    pub sequence: InputEntry,
    /// Predict no more than this many of its tokens; all unless given.
    pub sequence_tokens: Option<usize>,
    /// How it is fed.
    pub plans: Vec<PlanEntry>,
    /// What is compressed.
    pub inputs: Vec<InputEntry>,
}

/// Bytes that are predicted or compressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputEntry {
    /// Their name.
    pub name: String,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
    /// Lanes of a frame.
    pub lanes: u32,
}

/// A plan: FORMAT.md, section 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanEntry {
    /// Its name.
    pub name: String,
    /// Lanes in a batch.
    pub lanes: u32,
    /// New inputs of a lane in one pass.
    pub chunk: u32,
}

/// What the writer said of a container beside what its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerEntry {
    /// The name of what it holds.
    pub input: String,
    /// Length of all lane streams.
    pub stream_bytes: u64,
    /// Tokens of all frames.
    pub tokens: u64,
    /// SHA-256 of the tokens as u32, little-endian.
    pub tokens_sha256: String,
    /// The model's entropy of the coded tokens: the hex digits of a binary64's bits.
    pub entropy_bits: String,
}

/// A file beside the header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative to the header's folder, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Asked {
    /// What a run with `settings` asks about `target`.
    #[must_use]
    pub fn of(settings: &Settings, target: &Target) -> Self {
        let plan = |(name, plan): &(&str, crate::runner::protocol::PlanParams)| PlanEntry {
            name: (*name).to_owned(),
            lanes: plan.lanes,
            chunk: plan.chunk,
        };
        Self {
            name: target.name.clone(),
            model_file: target.model_file.display().to_string(),
            model_sha256: target.model_sha256.clone(),
            tokenizer_sha256: target.tokenizer_sha256.clone(),
            threads: settings.threads,
            graph_optimization: settings.graph_optimization,
            start_token: target.start_token,
            window: target.window,
            overlap: target.overlap,
            eps: target.eps.clone(),
            frame_bytes: settings.frame_bytes,
            sequence: input_entry(&settings.sequence),
            sequence_tokens: settings.sequence_tokens,
            plans: PLANS.iter().map(plan).collect(),
            inputs: settings.inputs.iter().map(input_entry).collect(),
        }
    }

    /// In what `self` and `now` differ, for a person to read; empty when they do not.
    ///
    /// # Errors
    /// `internal` when they cannot be laid side by side.
    pub fn differences(&self, now: &Self) -> Result<Vec<String>> {
        let fields = |asked: &Self| {
            serde_json::to_value(asked)
                .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a golden header: {source}")))
        };
        let (then, now) = (fields(self)?, fields(now)?);
        let keys = then.as_object().into_iter().flat_map(|object| object.keys());
        Ok(keys
            .filter(|key| then[*key] != now[*key])
            .map(|key| {
                (
                    key.replace('_', " ").replace("sha256", "SHA-256"),
                    &then[key],
                    &now[key],
                )
            })
            .map(|(what, then, now)| match (then, now) {
                (Value::Array(_), _) => format!("{what} were others"),
                (Value::Object(_), _) => format!("{what} was another"),
                (then, now) => format!("{what} was {}, is {}", brief(then), brief(now)),
            })
            .collect())
    }
}

fn brief(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| text.chars().take(12).collect())
}

fn input_entry(input: &Input) -> InputEntry {
    InputEntry {
        name: input.name.clone(),
        bytes: input.bytes.len() as u64,
        sha256: sha256(&input.bytes),
        lanes: input.lanes,
    }
}

impl ContainerEntry {
    /// What a runner said of the container of `input`.
    #[must_use]
    pub fn of(input: &str, result: &CompressResult) -> Self {
        Self {
            input: input.to_owned(),
            stream_bytes: result.stream_bytes,
            tokens: result.tokens,
            tokens_sha256: result.tokens_sha256.clone(),
            entropy_bits: format!("{:016x}", result.entropy_bits.to_bits()),
        }
    }

    /// What the writer answered when it wrote the container `file` of `input`; none when the entropy is no number.
    #[must_use]
    pub fn result(&self, input: &InputEntry, file: &FileEntry) -> Option<CompressResult> {
        Some(CompressResult {
            plain_bytes: input.bytes,
            plain_sha256: input.sha256.clone(),
            container_bytes: file.bytes,
            stream_bytes: self.stream_bytes,
            tokens: self.tokens,
            tokens_sha256: self.tokens_sha256.clone(),
            entropy_bits: f64::from_bits(u64::from_str_radix(&self.entropy_bits, 16).ok()?),
        })
    }
}
