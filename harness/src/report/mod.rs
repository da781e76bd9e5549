//! Owns what a run found, as data: the one structure that the terminal, JSON, JUnit and Markdown are rendered from.
//! Its JSON form is `harness/schemas/report.json`. It computes no difference and judges no pair; it only sums up.

pub mod json;
pub mod junit;
pub mod markdown;
pub mod sections;
pub mod terminal;

use serde::{Deserialize, Serialize};

use crate::compare::classes::{PairClass, PairVerdict};
use crate::compare::stats::PairStats;
use crate::runner::protocol::{Fingerprint, InspectResult};
use crate::{Error, ErrorCode};

/// Everything a run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether everything held.
    pub verdict: Verdict,
    /// The graphs that were run.
    pub models: Vec<ModelEntry>,
    /// The runners that were asked.
    pub runners: Vec<RunnerEntry>,
    /// What was predicted.
    pub sequence: SequenceEntry,
    /// What a person should know about the choice of runs: what was shortened, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Every comparison of two sets of rows.
    pub pairs: Vec<PairEntry>,
    /// Everything else that had to be equal.
    pub checks: Vec<CheckEntry>,
    /// Every container, by who wrote it and who read it.
    pub round_trips: Vec<RoundTripEntry>,
    /// Requests that a runner does not carry out, and why.
    pub skips: Vec<SkipEntry>,
    /// Requests that failed.
    pub failures: Vec<FailureEntry>,
    /// Wall-clock time of the stages.
    pub stages: Vec<StageEntry>,
    /// Wall-clock time of the run, without set-up.
    pub seconds: f64,
}

/// Whether everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// Something did not.
    Fail,
}

/// A graph that was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Model and variant, `tiny/q4f16`.
    pub name: String,
    /// The graph, relative to the model's folder.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// The tokenizer's SHA-256.
    pub tokenizer_sha256: String,
    /// The graph as the first runner sees it (all must see the same); absent when none answered.
    #[serde(flatten)]
    pub graph: Option<InspectResult>,
}

/// What became of a runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerStatus {
    /// It answered everything.
    Ok,
    /// It was not asked, for a reason.
    Skipped,
    /// It failed at least once.
    Failed,
}

/// A runner that was asked, or would have been.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunnerEntry {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub status: RunnerStatus,
    /// What it is made of; absent when it never said.
    pub fingerprint: Option<Fingerprint>,
    /// The most memory that one of its processes held, in MiB; absent where the system does not tell. Runners in process have the orchestrator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mib: Option<u64>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The sequence that was predicted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SequenceEntry {
    /// What it is.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its length in tokens.
    pub tokens: u64,
    /// SHA-256 of its tokens as u32, little-endian.
    pub sha256: String,
}

/// A comparison of two sets of rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PairEntry {
    /// Model and variant.
    pub model: String,
    /// A runner; with its plan where the two sides' plans differ.
    pub left: String,
    /// The other.
    pub right: String,
    /// The plan, or both.
    pub plan: String,
    /// The class that says what is allowed.
    pub class: PairClass,
    /// What was measured.
    #[serde(flatten)]
    pub stats: PairStats,
    /// The largest difference allowed, in nats.
    pub tolerance: f64,
    /// Whether it held.
    pub verdict: PairVerdict,
    /// What a person should know: an expectation that was missed, environments that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Something else that had to be equal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckEntry {
    /// Model and variant.
    pub model: String,
    /// What was checked.
    pub name: String,
    /// Whose answer.
    pub runner: String,
    /// Whether it held.
    pub ok: bool,
    /// What was found, when it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A container that one runner wrote and another read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundTripEntry {
    /// Model and variant.
    pub model: String,
    /// Who wrote it.
    pub encoder: String,
    /// Who read it.
    pub decoder: String,
    /// What it holds.
    pub input: String,
    /// Lanes of its frames.
    pub lanes: u32,
    /// The container's eps.
    pub eps: f64,
    /// Whether bytes and tokens came back.
    pub ok: bool,
    /// Length of the plain bytes.
    pub plain_bytes: u64,
    /// Length of the container.
    pub container_bytes: u64,
    /// Tokens in it.
    pub tokens: u64,
    /// Length of the lane streams.
    pub stream_bytes: u64,
    /// The model's entropy of the tokens, in bits.
    pub entropy_bits: f64,
    /// SHA-256 of the container.
    pub container_sha256: String,
    /// What was found, when it did not hold.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A request that a runner does not carry out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SkipEntry {
    /// Who was asked.
    pub runner: String,
    /// Model and variant.
    pub model: String,
    /// What was asked.
    pub request: String,
    /// Why not.
    pub reason: String,
}

/// A request that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailureEntry {
    /// Who was asked.
    pub runner: String,
    /// Model and variant.
    pub model: String,
    /// What was asked.
    pub request: String,
    /// What came back.
    pub error: Error,
    /// The end of the runner's stderr.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

/// Wall-clock time of a stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StageEntry {
    /// Model and variant, or empty.
    pub model: String,
    /// What was done.
    pub name: String,
    /// Who did it; empty for the orchestrator.
    pub runner: String,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// Whether the report has a row of this runner's answers: a pair, a check or a round trip.
    #[must_use]
    pub fn has_rows_of(&self, runner: &str) -> bool {
        self.pairs
            .iter()
            .any(|pair| pair.left == runner || pair.right == runner)
            || self.checks.iter().any(|check| check.runner == runner)
            || self
                .round_trips
                .iter()
                .any(|trip| trip.encoder == runner || trip.decoder == runner)
    }

    /// Whether there are rows, and every one holds: a run that compared nothing proves nothing.
    #[must_use]
    pub fn holds(&self) -> bool {
        let compared = !(self.pairs.is_empty() && self.checks.is_empty() && self.round_trips.is_empty());
        compared
            && self.failures.is_empty()
            && self.pairs.iter().all(|pair| pair.verdict != PairVerdict::Diverged)
            && self.checks.iter().all(|check| check.ok)
            && self.round_trips.iter().all(|trip| trip.ok)
    }

    /// The exit code that README.md documents: integrity before broken runners before failed comparisons.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        exit_code_of(&self.failures).unwrap_or_else(|| u8::from(!self.holds()))
    }
}

/// The exit code of failed requests that is not 1, or `None` where there is no such one.
#[must_use]
pub fn exit_code_of(failures: &[FailureEntry]) -> Option<u8> {
    let failed_with = |codes: &[ErrorCode]| failures.iter().any(|failure| codes.contains(&failure.error.code));
    if failed_with(&[ErrorCode::Integrity, ErrorCode::Vocabulary]) {
        Some(4)
    } else if failed_with(&[ErrorCode::Runner, ErrorCode::Internal, ErrorCode::Interrupted]) {
        // Where the user asked for the end there is no report: a runner that says so by itself is broken.
        Some(5)
    } else {
        failed_with(&[ErrorCode::Setup]).then_some(3)
    }
}
