//! Owns the two tables of the round trips: who read whose containers, and what the containers cost.

use std::collections::BTreeSet;

use super::{Section, Tone, header, plain, toned};
use crate::report::{Report, RoundTripEntry};

pub fn matrix(report: &Report) -> Section {
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
pub fn containers(report: &Report) -> Section {
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
