//! Owns the tables of the requests that a runner skipped, and of those that failed.

use super::{Section, Tone, header, plain, toned};
use crate::report::{FailureEntry, Report};

pub fn skips(report: &Report) -> Option<Section> {
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

pub fn failures(failures: &[FailureEntry]) -> Option<Section> {
    let rows: Vec<_> = failures
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
    for failure in failures {
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
