//! Owns how a benchmark looks: one table, a row for each measurement.

use super::{BenchReport, BenchRow, Way};
use crate::report::sections::{Cell, Section, header, plain};

/// The table, and what its columns mean.
#[must_use]
pub fn section(report: &BenchReport) -> Section {
    Section {
        title: "Speed",
        header: header(&[
            "model",
            "runner",
            "operation",
            "lanes",
            "tokens",
            "tokens/s",
            "KiB/s",
            "x one by one",
            "passes alone",
            "of that",
            "session",
            "bits/byte",
            "peak MiB",
        ]),
        rows: report.rows.iter().map(|row| cells(report, row)).collect(),
        remarks: vec![
            "passes alone: tokens/s of the same passes of the session with nobody looking at the logits; of that: the speed over theirs".to_owned(),
            "x one by one: over the same runner's decoding in one lane, which is how a coder without lanes works in both directions"
                .to_owned(),
            "session: its share of the time; the rest is the codec's".to_owned(),
        ],
    }
}

fn cells(report: &BenchReport, row: &BenchRow) -> Vec<Cell> {
    let way = match row.operation {
        Way::Encode => "encode",
        Way::Decode => "decode",
    };
    let one_by_one = report.rows.iter().find(|other| {
        (other.operation, other.lanes) == (Way::Decode, 1) && other.model == row.model && other.runner == row.runner
    });
    vec![
        plain(&row.model),
        plain(&row.runner),
        plain(way),
        plain(row.lanes.to_string()),
        plain(row.tokens.to_string()),
        plain(number(row.tokens_per_s)),
        plain(number(row.bytes_per_s / 1024.0)),
        plain(one_by_one.map_or_else(
            || "-".to_owned(),
            |other| format!("{:.2}", row.tokens_per_s / other.tokens_per_s),
        )),
        plain(number(row.raw_tokens_per_s)),
        plain(format!("{:.3}", row.of_raw)),
        plain(format!("{:.1} %", 100.0 * row.session_share)),
        plain(format!("{:.3}", row.bits_per_byte)),
        plain(row.peak_mib.map_or_else(|| "-".to_owned(), |mib| mib.to_string())),
    ]
}

/// A rate with about three digits.
fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
