//! A run over fake runners, each with one deliberate fault: the fault must show in the right row of the report, with the right
//! exit code, and the honest runners must be judged as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use llmzip::ErrorCode;
use llmzip::compare::classes::{PairClass, PairVerdict};
use llmzip::report::{Report, RunnerStatus, Verdict};

/// What a fault must lead to.
struct Expected {
    exit_code: u8,
    /// Code and request of the faulty runner's failures.
    failures: &'static [(ErrorCode, &'static str)],
    /// Pairs with the faulty runner that diverge.
    diverged: usize,
    /// Checks of the faulty runner that fail.
    checks: usize,
    /// Round trips that fail.
    round_trips: usize,
}

const NOTHING: Expected = Expected {
    exit_code: 0,
    failures: &[],
    diverged: 0,
    checks: 0,
    round_trips: 0,
};

/// Runs two honest fakes and one with `fault`, and holds the report to `expected`.
fn check(fault: &str, expected: &Expected) -> Report {
    let members = vec![
        support::member("left", &[]),
        support::member("faulty", &["--fault", fault]),
        support::member("right", &[]),
    ];
    let report = support::run(members);
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|f| (f.error.code, f.request.as_str()))
        .collect();
    assert_eq!(failures, expected.failures, "{fault}: {:#?}", report.failures);
    assert!(
        report.failures.iter().all(|failure| failure.runner == "faulty"),
        "{fault}"
    );
    let diverged: Vec<_> = report
        .pairs
        .iter()
        .filter(|pair| pair.verdict == PairVerdict::Diverged)
        .collect();
    assert!(
        diverged
            .iter()
            .all(|pair| pair.left == "faulty" || pair.right == "faulty"),
        "{fault}: {diverged:#?}"
    );
    assert_eq!(diverged.len(), expected.diverged, "{fault}: {diverged:#?}");
    let checks: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
    assert_eq!(checks.len(), expected.checks, "{fault}: {checks:#?}");
    let trips: Vec<_> = report.round_trips.iter().filter(|trip| !trip.ok).collect();
    assert_eq!(trips.len(), expected.round_trips, "{fault}: {trips:#?}");
    assert_eq!(report.exit_code(), expected.exit_code, "{fault}");
    let honest: Vec<_> = report
        .pairs
        .iter()
        .filter(|pair| pair.left == "left" && pair.right == "right")
        .collect();
    assert_eq!(honest.len(), 3, "{fault}: the honest pair is compared in all plans");
    assert!(
        honest.iter().all(|pair| pair.verdict == PairVerdict::BitExact),
        "{fault}"
    );
    let status = report
        .runners
        .iter()
        .find(|runner| runner.name == "faulty")
        .unwrap()
        .status;
    let failed = !expected.failures.is_empty();
    assert_eq!(status == RunnerStatus::Failed, failed, "{fault}");
    report
}

#[test]
fn an_honest_runner_passes() {
    let report = check("none", &NOTHING);
    assert_eq!(report.pairs.len(), 3 * 3 + 3);
    assert_eq!(report.round_trips.len(), 2 * 9);
}

#[test]
fn wrong_numbers_diverge() {
    // Four plans' rows: three shared plans with each of two runners, and the runner's own pair of plans is equal.
    check(
        "wrong-logit",
        &Expected {
            exit_code: 1,
            diverged: 6,
            ..NOTHING
        },
    );
    check(
        "not-finite",
        &Expected {
            exit_code: 1,
            diverged: 7,
            ..NOTHING
        },
    );
    check(
        "wrong-coded",
        &Expected {
            exit_code: 1,
            diverged: 6,
            ..NOTHING
        },
    );
}

#[test]
fn a_divergence_names_its_place() {
    let report = check(
        "wrong-logit",
        &Expected {
            exit_code: 1,
            diverged: 6,
            ..NOTHING
        },
    );
    let pair = report
        .pairs
        .iter()
        .find(|pair| pair.verdict == PairVerdict::Diverged)
        .unwrap();
    let place = pair.stats.first_divergence.unwrap().place;
    assert_eq!((place.position, place.token), (9, 5));
    assert_eq!(pair.stats.worst.map(|worst| worst.position), Some(9));
    assert!(pair.stats.smallest_tolerance > 9e-4 && pair.stats.smallest_tolerance <= 1e-3);
}

/// A run of two fakes, and its pairs' verdicts between the two.
fn two(left: &[&str], right: &[&str]) -> (Report, Vec<PairVerdict>) {
    let report = support::run(vec![support::member("left", left), support::member("right", right)]);
    let between = report.pairs.iter().filter(|pair| pair.left != pair.right);
    let verdicts = between.map(|pair| pair.verdict).collect();
    (report, verdicts)
}

#[test]
fn an_exact_graph_has_the_same_bits_in_every_plan_or_diverges() {
    let slight = ["--fault", "slight-logit"];
    let (report, between) = two(&[], &slight);
    assert_eq!(between, [PairVerdict::Within; 3], "the tolerance allows a millionth");
    assert_eq!(report.exit_code(), 0);

    let (report, between) = two(&["--exact"], &["--exact", "--fault", "slight-logit"]);
    assert_eq!(between, [PairVerdict::Diverged; 5]);
    assert_eq!(report.exit_code(), 1);

    let (report, between) = two(&["--exact"], &["--exact", "--runtime-version", "2.0"]);
    assert_eq!(between, [PairVerdict::BitExact; 5]);
    assert!(report.pairs.iter().all(|pair| pair.class == PairClass::Exact));
    let inside: Vec<&str> = report
        .pairs
        .iter()
        .filter(|pair| pair.left == "right" && pair.right == "right")
        .map(|pair| pair.plan.as_str())
        .collect();
    assert_eq!(inside, ["prefill ~ step", "prefill ~ chunks", "lanes ~ lanes-prefill"]);
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn runners_that_do_not_agree_whether_a_graph_is_exact_fail_a_check() {
    let (report, _) = two(&["--exact"], &[]);
    let failed: Vec<_> = report.checks.iter().filter(|check| !check.ok).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(
        (failed[0].runner.as_str(), failed[0].name.as_str()),
        ("right", "graph view")
    );
    assert!(failed[0].detail.contains("exactness"), "{}", failed[0].detail);
}

#[test]
fn a_view_that_lies_fails_a_check_that_names_the_part() {
    for (fault, part) in [
        ("view-of-ops", "ops"),
        ("view-of-opset", "opset"),
        ("view-of-dims", "inputs"),
        ("view-of-types", "inputs"),
        ("view-of-outputs", "outputs"),
        ("view-of-batch", "batch policy"),
    ] {
        let report = check(
            fault,
            &Expected {
                exit_code: 1,
                checks: 1,
                ..NOTHING
            },
        );
        let failed = report.checks.iter().find(|check| !check.ok).unwrap();
        assert_eq!((failed.runner.as_str(), failed.name.as_str()), ("faulty", "graph view"));
        assert_eq!(failed.detail, format!("{part} differ from left's view"), "{fault}");
    }
}

#[test]
fn a_runner_that_does_not_compute_as_it_was_asked_is_broken() {
    for (fault, request, what) in [
        ("other-provider", "load", "provider cpu, and says that it uses cuda"),
        ("other-threads", "load", "threads 1, and says that it uses 7"),
        (
            "view-of-provider",
            "inspect",
            "provider cpu, and says that it uses cuda",
        ),
    ] {
        let failures: &[_] = if request == "load" {
            &[(ErrorCode::Runner, "load")]
        } else {
            &[(ErrorCode::Runner, "inspect")]
        };
        let report = check(
            fault,
            &Expected {
                exit_code: 5,
                failures,
                ..NOTHING
            },
        );
        let message = &report.failures[0].error.message;
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn other_tokens_are_no_pair_but_a_failed_check() {
    // The text does not come back from other tokens either.
    let report = check(
        "wrong-token",
        &Expected {
            exit_code: 1,
            checks: 2,
            ..NOTHING
        },
    );
    assert!(
        report
            .pairs
            .iter()
            .all(|pair| (pair.left == "faulty") == (pair.right == "faulty"))
    );
}

#[test]
fn a_broken_runner_is_one_failed_row() {
    let runner = |request| Expected {
        exit_code: 5,
        failures: request,
        ..NOTHING
    };
    check("dies", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("treads", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("hangs", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("endless-line", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("short-file", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("no-file", &runner(&[(ErrorCode::Runner, "logprobs prefill")]));
    check("no-container", &runner(&[(ErrorCode::Runner, "compress text")]));
    check("prints-to-stdout", &runner(&[(ErrorCode::Runner, "tokenize")]));
    check("wrong-shape", &runner(&[(ErrorCode::Runner, "tokenize")]));
    check("wrong-id", &runner(&[(ErrorCode::Runner, "hello")]));
    check("nonsense", &runner(&[(ErrorCode::Runner, "hello")]));
    check("interrupted", &runner(&[(ErrorCode::Interrupted, "hello")]));
    check("skips-hello", &runner(&[(ErrorCode::Runner, "hello")]));
    check("other-version", &runner(&[(ErrorCode::Runner, "hello")]));
    let report = check("has-no-load", &runner(&[(ErrorCode::Runner, "hello")]));
    let message = &report.failures[0].error.message;
    assert!(message.contains("does not name `load`"), "{message}");
}

#[cfg(unix)]
#[test]
fn what_a_runner_wrote_must_be_a_file() {
    let runner = |failures| Expected {
        exit_code: 5,
        failures,
        ..NOTHING
    };
    check("endless-container", &runner(&[(ErrorCode::Runner, "compress text")]));
    // Two others wrote the same text, so that none of its three containers was read by this one; nor was what came after it.
    let piped = Expected {
        round_trips: 6,
        ..runner(&[(ErrorCode::Runner, "decompress text by left")])
    };
    check("piped-plain", &piped);
}

#[test]
fn integrity_comes_before_everything() {
    let integrity = Expected {
        exit_code: 4,
        failures: &[(ErrorCode::Integrity, "load")],
        ..NOTHING
    };
    check("lies-about-hash", &integrity);
    check("refuses", &integrity);
}

#[test]
fn progress_keeps_a_slow_runner_alive() {
    check("slow-with-progress", &NOTHING);
}

#[test]
fn stderr_is_never_a_failure() {
    check("talks", &NOTHING);
}

#[test]
fn wrong_bytes_are_found_by_the_orchestrator() {
    // Three writers agree to the byte, so the faulty reader spoils three rows for each of the two inputs.
    check(
        "wrong-bytes",
        &Expected {
            exit_code: 1,
            round_trips: 6,
            ..NOTHING
        },
    );
}

#[test]
fn a_reader_that_fails_is_told_from_wrong_bytes() {
    let failures = &[
        (ErrorCode::Format, "decompress text by left"),
        (ErrorCode::Format, "decompress empty by left"),
    ];
    check(
        "fails-to-read",
        &Expected {
            exit_code: 1,
            failures,
            round_trips: 6,
            ..NOTHING
        },
    );
}

#[test]
fn skips_have_reasons_and_are_no_failures() {
    check_skips("skips", |_| "not on a Sunday".to_owned());
}

#[test]
fn what_hello_does_not_name_is_not_asked() {
    // A fake that is asked for it answers with an error, which would be a failure.
    check_skips("has-few", |op| {
        format!("`{op}` is not among the operations that hello names")
    });
}

/// Skips of `inspect` and of `decompress` for the two inputs, each with its reason.
fn check_skips(fault: &str, reason: impl Fn(&str) -> String) {
    let report = check(fault, &NOTHING);
    let skips: Vec<_> = report
        .skips
        .iter()
        .map(|skip| (skip.request.as_str(), skip.reason.clone()))
        .collect();
    let expected = [
        ("inspect", reason("inspect")),
        ("decompress text by left", reason("decompress")),
        ("decompress empty by left", reason("decompress")),
    ];
    assert_eq!(skips, expected, "{fault}");
    assert!(
        report.round_trips.iter().all(|trip| trip.decoder != "faulty"),
        "what was skipped is no row"
    );
}

#[test]
fn a_run_that_compared_nothing_does_not_pass() {
    let members = || vec![support::member("mute", &["--fault", "skips-all"])];
    let report = support::run(members());
    assert_eq!((report.exit_code(), report.verdict), (1, Verdict::Fail));
    assert!(!report.skips.is_empty() && report.failures.is_empty());
    let report = support::run_required(&["mute"], members());
    assert_eq!((report.exit_code(), report.verdict), (3, Verdict::Fail));
}

#[test]
fn a_required_runner_must_have_answered_something() {
    let members = || {
        vec![
            support::member("left", &[]),
            support::member("mute", &["--fault", "skips-all"]),
        ]
    };
    assert_eq!(support::run_required(&["left"], members()).exit_code(), 0);
    let report = support::run_required(&["left", "mute"], members());
    assert_eq!(report.exit_code(), 3);
    let failures: Vec<_> = report
        .failures
        .iter()
        .map(|f| (f.runner.as_str(), f.error.code))
        .collect();
    assert_eq!(failures, [("mute", ErrorCode::Setup)]);
    let status = |name: &str| report.runners.iter().find(|runner| runner.name == name).unwrap().status;
    assert_eq!(status("left"), RunnerStatus::Ok);
    assert_eq!(status("mute"), RunnerStatus::Failed);
}

#[cfg(unix)]
#[test]
fn nothing_that_a_runner_started_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("child");
    let fault = ["--fault", "leaves-a-child", "--trace", trace.to_str().unwrap()];
    let report = support::run(vec![support::member("left", &[]), support::member("faulty", &fault)]);
    assert_eq!(report.exit_code(), 5);
    let child: i32 = std::fs::read_to_string(&trace).unwrap().parse().unwrap();
    // A killed orphan may be a zombie until init reaps it; it must not run.
    let gone = (0..200).any(|_| {
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let gone = state.is_empty() || state.contains(") Z ");
        if !gone {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        gone
    });
    assert!(
        gone || !std::path::Path::new("/proc").is_dir(),
        "process {child} still runs"
    );
}
