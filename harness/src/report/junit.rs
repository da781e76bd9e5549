//! Owns the JUnit XML of a report: a suite per kind of row, a case per row.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::sections::reason;
use super::{Report, RunnerStatus};
use crate::{Error, ErrorCode, Result};

/// The report as JUnit XML.
///
/// # Errors
/// `internal` when the XML cannot be written.
pub fn render(report: &Report) -> Result<String> {
    let mut junit = quick_junit::Report::new("llmzip conform");
    let mut runners = TestSuite::new("runners");
    for runner in &report.runners {
        let failure = report.failures.iter().find(|failure| failure.runner == runner.name);
        let status = match (runner.status, failure) {
            (RunnerStatus::Skipped, _) => {
                let mut skipped = TestCaseStatus::skipped();
                skipped.set_message(runner.reason.clone().unwrap_or_default());
                skipped
            }
            (_, Some(failure)) => failed(&format!("{}: {}", failure.request, failure.error)),
            _ => TestCaseStatus::success(),
        };
        runners.add_test_case(TestCase::new(runner.name.clone(), status));
    }
    junit.add_test_suite(runners);

    let mut pairs = TestSuite::new("pairs");
    for pair in &report.pairs {
        let reason = reason(pair);
        let status = status(reason.is_none(), || {
            format!(
                "largest difference {:e}, allowed {:e}: {}",
                pair.stats.smallest_tolerance,
                pair.tolerance,
                reason.unwrap_or_default()
            )
        });
        let name = format!("{} {} ~ {} ({})", pair.model, pair.left, pair.right, pair.plan);
        pairs.add_test_case(TestCase::new(name, status));
    }
    junit.add_test_suite(pairs);

    let mut checks = TestSuite::new("checks");
    for check in &report.checks {
        let name = format!("{} {} {}", check.model, check.runner, check.name);
        checks.add_test_case(TestCase::new(name, status(check.ok, || check.detail.clone())));
    }
    junit.add_test_suite(checks);

    let mut trips = TestSuite::new("round-trips");
    for trip in &report.round_trips {
        let name = format!("{} {} -> {} {}", trip.model, trip.encoder, trip.decoder, trip.input);
        trips.add_test_case(TestCase::new(name, status(trip.ok, || trip.detail.clone())));
    }
    junit.add_test_suite(trips);
    junit
        .to_string()
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write JUnit XML: {source}")))
}

fn status(ok: bool, detail: impl FnOnce() -> String) -> TestCaseStatus {
    if ok {
        TestCaseStatus::success()
    } else {
        failed(&detail())
    }
}

fn failed(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message);
    status
}
