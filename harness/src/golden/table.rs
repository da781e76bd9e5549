//! Owns how the findings of `golden check` look: one line per graph and runner, and what did not hold below it.

use super::check::GoldenReport;
use crate::compare::classes::PairVerdict;
use crate::report::sections::{Cell, Section, Tone, class_name, difference, failures, header, plain, skips, toned};
use crate::report::terminal::render_sections;
use crate::report::{CheckEntry, RunnerStatus, Verdict};

/// The findings as text; `colour` switches escape sequences on.
#[must_use]
pub fn render(golden: &GoldenReport, colour: bool) -> String {
    let mut sections = vec![table(golden)];
    sections.extend(skips(&golden.report));
    sections.extend(failures(&golden.report.failures));
    render_sections(&sections, &last_line(golden), colour)
}

fn table(golden: &GoldenReport) -> Section {
    let report = &golden.report;
    let runners = report
        .runners
        .iter()
        .filter(|runner| runner.status != RunnerStatus::Skipped);
    let rows = report
        .models
        .iter()
        .flat_map(|model| runners.clone().map(|runner| row(golden, &model.name, &runner.name)));
    let mut remarks = vec![written_by(golden)];
    let failed = report.checks.iter().filter(|check| !check.ok);
    remarks.extend(failed.map(|check| format!("{} {} {}: {}", check.model, check.runner, check.name, check.detail)));
    let unread = report.round_trips.iter().filter(|trip| !trip.ok);
    remarks.extend(unread.map(|trip| {
        format!(
            "{} {} decoding {}: {}",
            trip.model, trip.decoder, trip.input, trip.detail
        )
    }));
    Section {
        title: "Goldens",
        header: header(&[
            "model",
            "runner",
            "class",
            "tokens",
            "graph",
            "log-probs",
            "allowed",
            "containers",
            "decoded",
            "verdict",
        ]),
        rows: rows.collect(),
        remarks,
    }
}

fn row(golden: &GoldenReport, model: &str, runner: &str) -> Vec<Cell> {
    let report = &golden.report;
    let check = |name: &str| {
        let found = report
            .checks
            .iter()
            .find(|check| is_of(check, model, runner) && check.name == name);
        match found {
            None => plain("-"),
            Some(check) if check.ok => toned("equal", Tone::Good),
            Some(_) => toned("DIFFER", Tone::Bad),
        }
    };
    let mine = |a: &str, b: &str| a == model && b == runner;
    let coded: Vec<_> = golden
        .coded
        .iter()
        .filter(|entry| mine(&entry.model, &entry.runner))
        .collect();
    let mut standings = golden.standings.iter();
    let standing = standings.find(|entry| mine(&entry.model, &entry.runner));
    let (class, allowed) = standing.map_or(("-", "-".to_owned()), |entry| {
        (class_name(entry.class), difference(entry.tolerance))
    });
    let containers = golden
        .containers
        .iter()
        .filter(|entry| mine(&entry.model, &entry.runner));
    let trips = report
        .round_trips
        .iter()
        .filter(|trip| mine(&trip.model, &trip.decoder));
    vec![
        plain(model),
        plain(runner),
        plain(class),
        check("tokens"),
        check("graph view"),
        log_probs(coded.iter().map(|entry| (entry.verdict, entry.stats.max_abs))),
        plain(allowed),
        fraction(containers.map(|entry| entry.equal), "equal", Tone::Fair),
        fraction(trips.map(|trip| trip.ok), "right", Tone::Bad),
        verdict(golden, model, runner),
    ]
}

fn is_of(check: &CheckEntry, model: &str, runner: &str) -> bool {
    check.model == model && check.runner == runner
}

/// The worst of the plans.
fn log_probs(plans: impl Iterator<Item = (PairVerdict, f64)> + Clone) -> Cell {
    let largest = difference(plans.clone().map(|(_, max_abs)| max_abs).fold(0.0, f64::max));
    let any = |wanted: PairVerdict| plans.clone().any(|(verdict, _)| verdict == wanted);
    if any(PairVerdict::Diverged) {
        toned(largest, Tone::Bad)
    } else if any(PairVerdict::Within) {
        plain(largest)
    } else if any(PairVerdict::BitExact) {
        toned("equal bits", Tone::Good)
    } else {
        plain("-")
    }
}

fn fraction(held: impl Iterator<Item = bool>, what: &str, otherwise: Tone) -> Cell {
    let (held, all) = held.fold((0, 0), |(held, all), ok| (held + usize::from(ok), all + 1));
    if all == 0 {
        return plain("-");
    }
    toned(
        format!("{held}/{all} {what}"),
        if held == all { Tone::Good } else { otherwise },
    )
}

fn verdict(golden: &GoldenReport, model: &str, runner: &str) -> Cell {
    let report = &golden.report;
    let asked_in_vain = report
        .failures
        .iter()
        .any(|failure| failure.runner == runner && (failure.model == model || failure.model.is_empty()));
    let differs = report
        .checks
        .iter()
        .any(|check| is_of(check, model, runner) && !check.ok)
        || report
            .round_trips
            .iter()
            .any(|trip| trip.model == model && trip.decoder == runner && !trip.ok);
    if asked_in_vain {
        toned("FAILED", Tone::Bad)
    } else if differs {
        toned("DIVERGED", Tone::Bad)
    } else {
        toned("holds", Tone::Good)
    }
}

fn written_by(golden: &GoldenReport) -> String {
    let print = &golden.writer.fingerprint;
    let words = [&print.runtime, &print.runtime_version, &print.os, &print.arch];
    let words: Vec<&str> = words.into_iter().filter_map(Option::as_deref).collect();
    format!(
        "{} was written by {}: {}",
        golden.model,
        golden.writer.runner,
        words.join(" ")
    )
}

fn last_line(golden: &GoldenReport) -> Cell {
    let report = &golden.report;
    let counts = format!(
        "{} checks, {} golden containers decoded, {} failed requests, in {:.1} s",
        report.checks.len(),
        report.round_trips.iter().filter(|trip| trip.ok).count(),
        report.failures.len(),
        report.seconds
    );
    match report.verdict {
        Verdict::Pass => toned(format!("pass: {counts}"), Tone::Good),
        Verdict::Fail => toned(format!("FAIL: {counts}"), Tone::Bad),
    }
}
