//! Owns the tables that people see, without a form: terminal and Markdown lay out the same sections.

mod pairs;
mod requests;
mod round_trips;
mod times;

use super::{Report, RunnerStatus, Verdict};
use crate::compare::classes::PairClass;

use pairs::pairs;
pub use pairs::reason;
pub(crate) use requests::{failures, skips};
use round_trips::{containers, matrix};
use times::times;

/// A titled table, followed by remarks.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it shows.
    pub title: &'static str,
    /// The columns' names.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// What a person should know besides.
    pub remarks: Vec<String>,
}

/// A cell and how it is meant.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a cell is meant; a terminal may colour it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    Plain,
    /// It held.
    Good,
    /// It held, with a remark.
    Fair,
    /// It did not hold.
    Bad,
}

pub(crate) fn plain(text: impl Into<String>) -> Cell {
    Cell {
        text: text.into(),
        tone: Tone::Plain,
    }
}

pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Cell {
    Cell {
        text: text.into(),
        tone,
    }
}

pub(crate) fn header(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The sections of a report, in the order in which they are read.
#[must_use]
pub fn sections(report: &Report) -> Vec<Section> {
    let mut sections = vec![models(report), runners(report), pairs(report)];
    sections.extend(checks(report));
    sections.push(matrix(report));
    sections.push(containers(report));
    sections.push(times(report));
    sections.extend(skips(report));
    sections.extend(failures(&report.failures));
    sections.retain(|section| !section.rows.is_empty());
    sections
}

/// The last line: what became of the run.
#[must_use]
pub fn verdict_line(report: &Report) -> Cell {
    let seconds = format!("{:.1} s", report.seconds);
    let counts = format!(
        "{} pairs, {} checks, {} round trips, {} failed requests",
        report.pairs.len(),
        report.checks.len(),
        report.round_trips.len(),
        report.failures.len()
    );
    match report.verdict {
        Verdict::Pass => toned(format!("pass: {counts}, in {seconds}"), Tone::Good),
        Verdict::Fail => toned(format!("FAIL: {counts}, in {seconds}"), Tone::Bad),
    }
}

fn models(report: &Report) -> Section {
    let rows = report.models.iter().map(|model| {
        let inputs = model.graph.as_ref().map_or(0, |graph| graph.inputs.len());
        let batch = model.graph.as_ref().map_or_else(
            || "?".to_owned(),
            |graph| format!("{:?}", graph.batch_policy.batch).to_lowercase(),
        );
        let exact = model
            .graph
            .as_ref()
            .map_or("?", |graph| if graph.exactness.exact { "yes" } else { "no" });
        vec![
            plain(&model.name),
            plain(&model.file),
            plain(short(&model.sha256)),
            plain(short(&model.tokenizer_sha256)),
            plain(inputs.to_string()),
            plain(batch),
            plain(exact),
        ]
    });
    let sequence = format!(
        "sequence {}: {} bytes, {} tokens",
        report.sequence.name, report.sequence.bytes, report.sequence.tokens
    );
    Section {
        title: "Models",
        header: header(&["model", "file", "sha256", "tokenizer", "inputs", "batch", "exact"]),
        rows: rows.collect(),
        remarks: [&[sequence], report.remarks.as_slice()].concat(),
    }
}

fn runners(report: &Report) -> Section {
    let rows = report.runners.iter().map(|runner| {
        let (status, tone) = match runner.status {
            RunnerStatus::Ok => ("ok", Tone::Good),
            RunnerStatus::Skipped => ("skipped", Tone::Fair),
            RunnerStatus::Failed => ("failed", Tone::Bad),
        };
        let print = runner.fingerprint.clone().unwrap_or_default();
        let pair = |name: Option<String>, version: Option<String>| match (name, version) {
            (Some(name), Some(version)) => format!("{name} {version}"),
            (Some(name), None) => name,
            _ => "-".to_owned(),
        };
        vec![
            plain(&runner.name),
            toned(status, tone),
            plain(pair(
                Some(print.language).filter(|l| !l.is_empty()),
                print.language_version,
            )),
            plain(pair(print.runtime, print.runtime_version)),
            plain(pair(print.tokenizer, print.tokenizer_version)),
            plain(
                runner
                    .peak_mib
                    .map_or_else(|| "-".to_owned(), |peak| format!("{peak} MiB")),
            ),
            plain(runner.reason.clone().unwrap_or_default()),
        ]
    });
    Section {
        title: "Runners",
        header: header(&[
            "runner",
            "status",
            "language",
            "runtime",
            "tokenizer",
            "memory",
            "reason",
        ]),
        rows: rows.collect(),
        remarks: Vec::new(),
    }
}

/// Only what failed: what held is a count in the last line.
fn checks(report: &Report) -> Option<Section> {
    let rows: Vec<_> = report
        .checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| {
            vec![
                plain(&check.model),
                plain(&check.runner),
                plain(&check.name),
                toned(&check.detail, Tone::Bad),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| Section {
        title: "Checks that failed",
        header: header(&["model", "runner", "check", "found"]),
        rows,
        remarks: Vec::new(),
    })
}

pub(crate) fn class_name(class: PairClass) -> &'static str {
    match class {
        PairClass::Exact => "exact",
        PairClass::SameBuild => "same-build",
        PairClass::OtherPlan => "other-plan",
        PairClass::OtherCpu => "other-cpu",
        PairClass::NativeWasm => "native-wasm",
        PairClass::Webgpu => "webgpu",
        PairClass::OtherVersion => "other-version",
    }
}

pub(crate) fn difference(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else {
        format!("{value:.1e}")
    }
}

fn short(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}
