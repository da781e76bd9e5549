//! Owns the table of what took how long.

use super::super::{Report, StageEntry};
use super::{Section, plain};

/// Seconds of every kind of request, by runner. Those about many inputs are summed up.
pub(super) fn times(report: &Report) -> Section {
    let mut runners: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, String)> = Vec::new();
    for stage in asked(report) {
        if !runners.contains(&stage.runner.as_str()) {
            runners.push(&stage.runner);
        }
        let row = (stage.model.as_str(), kind(&stage.name));
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let seconds = |model: &str, of_kind: &str, runner: &str| -> f64 {
        let stages = asked(report)
            .filter(|stage| stage.model == model && stage.runner == runner && kind(&stage.name) == of_kind);
        stages
            .map(|stage| stage.seconds)
            .fold(0.0, |sum, seconds| sum + seconds)
    };
    let cells = rows.iter().map(|(model, of_kind)| {
        let times = runners
            .iter()
            .map(|runner| plain(format!("{:.1}", seconds(model, of_kind, runner))));
        [plain(*model), plain(of_kind)].into_iter().chain(times).collect()
    });
    Section {
        title: "Time in seconds",
        header: ["model", "stage"]
            .iter()
            .chain(&runners)
            .map(ToString::to_string)
            .collect(),
        rows: cells.collect(),
        remarks: Vec::new(),
    }
}

/// The stages that a runner was asked for.
fn asked(report: &Report) -> impl Iterator<Item = &StageEntry> {
    report.stages.iter().filter(|stage| !stage.runner.is_empty())
}

/// What a request is, without the input that it is about.
fn kind(name: &str) -> String {
    match name.split_once(' ') {
        Some((operation @ ("compress" | "decompress"), _)) => operation.to_owned(),
        _ => name.to_owned(),
    }
}
