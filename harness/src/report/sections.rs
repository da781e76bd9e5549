//! Owns the tables that people see, without a form: terminal and Markdown lay out the same sections.

use std::collections::BTreeSet;

use super::{Report, RoundTripEntry, RunnerStatus, Verdict};
use crate::compare::classes::{PairClass, PairVerdict};

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
    sections.extend(skips(report));
    sections.extend(failures(report));
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
    Section {
        title: "Models",
        header: header(&["model", "file", "sha256", "tokenizer", "inputs", "batch", "exact"]),
        rows: rows.collect(),
        remarks: vec![format!(
            "sequence {}: {} bytes, {} tokens",
            report.sequence.name, report.sequence.bytes, report.sequence.tokens
        )],
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
            plain(runner.reason.clone().unwrap_or_default()),
        ]
    });
    Section {
        title: "Runners",
        header: header(&["runner", "status", "language", "runtime", "tokenizer", "reason"]),
        rows: rows.collect(),
        remarks: Vec::new(),
    }
}

fn pairs(report: &Report) -> Section {
    let rows = report.pairs.iter().map(|pair| {
        let (verdict, tone) = match pair.verdict {
            PairVerdict::BitExact => ("bit-exact", Tone::Good),
            PairVerdict::Within if pair.notes.is_empty() => ("within", Tone::Good),
            PairVerdict::Within => ("within", Tone::Fair),
            PairVerdict::Diverged => ("DIVERGED", Tone::Bad),
        };
        vec![
            plain(&pair.model),
            plain(format!("{} ~ {}", pair.left, pair.right)),
            plain(&pair.plan),
            plain(class_name(pair.class)),
            plain(difference(pair.stats.max_abs)),
            plain(difference(pair.stats.coded_max_abs)),
            plain(difference(pair.tolerance)),
            toned(verdict, tone),
        ]
    });
    let mut remarks = Vec::new();
    for pair in &report.pairs {
        let place = match (pair.verdict, pair.stats.first_divergence, pair.stats.worst) {
            (PairVerdict::Diverged, Some(first), worst) => Some(format!(
                "first differs at position {}, token {} ({:e} and {:e}){}; {} and {} values are not finite; smallest tolerance that passes: {}",
                first.place.position,
                first.place.token,
                first.left,
                first.right,
                worst.map_or_else(String::new, |w| format!(
                    ", most at position {}, token {}",
                    w.position, w.token
                )),
                pair.stats.left_not_finite,
                pair.stats.right_not_finite,
                difference(pair.stats.smallest_tolerance),
            )),
            _ => None,
        };
        for text in place.iter().chain(&pair.notes) {
            remarks.push(format!(
                "{} {} ~ {} ({}): {text}",
                pair.model, pair.left, pair.right, pair.plan
            ));
        }
    }
    Section {
        title: "Pairs: largest difference of a log-prob, in nats",
        header: header(&[
            "model",
            "pair",
            "plan",
            "class",
            "vocabulary",
            "coded",
            "allowed",
            "verdict",
        ]),
        rows: rows.collect(),
        remarks,
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

fn matrix(report: &Report) -> Section {
    let encoders: BTreeSet<_> = report
        .round_trips
        .iter()
        .map(|trip| (&trip.model, &trip.encoder))
        .collect();
    let decoders: BTreeSet<_> = report.round_trips.iter().map(|trip| &trip.decoder).collect();
    let mut rows = Vec::new();
    for (model, encoder) in encoders {
        let mut row = vec![plain(model), plain(encoder)];
        for decoder in &decoders {
            let trips = report
                .round_trips
                .iter()
                .filter(|trip| &trip.model == model && &trip.encoder == encoder && &&trip.decoder == decoder);
            let (held, all) = trips.fold((0, 0), |(held, all), trip| (held + usize::from(trip.ok), all + 1));
            row.push(match all {
                // Nothing was read: the runner is not there for this graph.
                0 => plain("-"),
                _ if held == all => toned(format!("{held}/{all}"), Tone::Good),
                _ => toned(format!("{held}/{all}"), Tone::Bad),
            });
        }
        rows.push(row);
    }
    let mut names = header(&["model", "written by"]);
    names.extend(decoders.iter().map(|decoder| format!("read by {decoder}")));
    let remarks = report.round_trips.iter().filter(|trip| !trip.ok).map(|trip| {
        format!(
            "{} {} -> {} {}: {}",
            trip.model, trip.encoder, trip.decoder, trip.input, trip.detail
        )
    });
    Section {
        title: "Round trips: inputs that came back, of all",
        header: names,
        rows,
        remarks: remarks.collect(),
    }
}

/// One line per model and input; writers that agree to the byte share it.
fn containers(report: &Report) -> Section {
    let mut rows = Vec::new();
    let mut seen: Vec<(&str, &str, &str)> = Vec::new();
    for trip in &report.round_trips {
        let key = (trip.model.as_str(), trip.input.as_str(), trip.container_sha256.as_str());
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let mut writers: Vec<&str> = report
            .round_trips
            .iter()
            .filter(|other| {
                (
                    other.model.as_str(),
                    other.input.as_str(),
                    other.container_sha256.as_str(),
                ) == key
            })
            .map(|other| other.encoder.as_str())
            .collect();
        writers.dedup();
        let [entropy, coded, overhead] = bits(trip);
        rows.push(vec![
            plain(&trip.model),
            plain(&trip.input),
            plain(writers.join(" = ")),
            plain(trip.lanes.to_string()),
            plain(format!("{:e}", trip.eps)),
            plain(trip.plain_bytes.to_string()),
            plain(trip.container_bytes.to_string()),
            plain(entropy),
            plain(coded),
            plain(overhead),
        ]);
    }
    Section {
        title: "Containers: bits per token of the model's entropy and of the lane streams",
        header: header(&[
            "model",
            "input",
            "written by",
            "lanes",
            "eps",
            "plain",
            "container",
            "entropy",
            "coded",
            "overhead",
        ]),
        rows,
        remarks: Vec::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
fn bits(trip: &RoundTripEntry) -> [String; 3] {
    if trip.stream_bytes == 0 {
        return ["-".to_owned(), "-".to_owned(), "stored".to_owned()];
    }
    let (tokens, coded) = (trip.tokens as f64, trip.stream_bytes as f64 * 8.0);
    [
        format!("{:.3}", trip.entropy_bits / tokens),
        format!("{:.3}", coded / tokens),
        format!("{:+.2} %", (coded / trip.entropy_bits - 1.0) * 100.0),
    ]
}

pub(crate) fn skips(report: &Report) -> Option<Section> {
    let rows: Vec<_> = report
        .skips
        .iter()
        .map(|skip| {
            vec![
                plain(&skip.runner),
                plain(&skip.model),
                plain(&skip.request),
                toned(&skip.reason, Tone::Fair),
            ]
        })
        .collect();
    (!rows.is_empty()).then(|| Section {
        title: "Requests that were skipped",
        header: header(&["runner", "model", "request", "reason"]),
        rows,
        remarks: Vec::new(),
    })
}

pub(crate) fn failures(report: &Report) -> Option<Section> {
    let rows: Vec<_> = report
        .failures
        .iter()
        .map(|failure| {
            vec![
                plain(&failure.runner),
                plain(&failure.model),
                plain(&failure.request),
                toned(failure.error.code.name(), Tone::Bad),
                plain(&failure.error.message),
            ]
        })
        .collect();
    let mut remarks = Vec::new();
    for failure in &report.failures {
        if !failure.error.hint.is_empty() {
            remarks.push(format!("hint ({}): {}", failure.runner, failure.error.hint));
        }
        for line in failure
            .stderr
            .lines()
            .rev()
            .take(20)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            remarks.push(format!("{} | {line}", failure.runner));
        }
    }
    (!rows.is_empty()).then(|| Section {
        title: "Requests that failed",
        header: header(&["runner", "model", "request", "code", "message"]),
        rows,
        remarks,
    })
}

pub(crate) fn class_name(class: PairClass) -> &'static str {
    match class {
        PairClass::Exact => "exact",
        PairClass::SameBuild => "same-build",
        PairClass::OtherPlan => "other-plan",
        PairClass::OtherCpu => "other-cpu",
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
