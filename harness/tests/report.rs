//! What a report looks like, in every form, over fake runners: one run in which everything holds and one in which much does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use insta::{assert_snapshot, with_settings};
use jsonschema::Validator;
use llmzip::report::{Report, json, junit, markdown, terminal};
use serde_json::Value;

fn schema() -> Validator {
    let text = include_str!("../schemas/report.json");
    jsonschema::validator_for(&serde_json::from_str::<Value>(text).unwrap()).unwrap()
}

fn good() -> Report {
    support::run(vec![support::member("left", &[]), support::member("right", &[])])
}

fn bad() -> Report {
    support::run(vec![
        support::member("left", &[]),
        support::member("wrong", &["--fault", "wrong-logit", "--runtime-version", "2.0"]),
        support::member("reader", &["--fault", "wrong-bytes"]),
        support::member("liar", &["--fault", "lies-about-hash"]),
        support::member("skipper", &["--fault", "skips"]),
    ])
}

/// Holds a report's JSON to its schema.
fn check_json(report: &Report) {
    let json: Value = serde_json::from_str(&json::render(report).unwrap()).unwrap();
    let errors: Vec<String> = schema()
        .iter_errors(&json)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// Every form of a report; what differs from run to run is replaced by text of the same width.
fn check(name: &str, report: &Report) {
    check_json(report);
    let mut report = report.clone();
    report.stages.iter_mut().for_each(|stage| stage.seconds = 0.25);
    report.runners.iter_mut().for_each(|runner| runner.peak_mib = Some(64));
    let report = &report;
    with_settings!({filters => vec![
        (r"in \d+\.\d s", "in 0.0 s"),
        (r#"uuid="[^"]*""#, r#"uuid="UUID""#),
        (r#"timestamp="[^"]*""#, r#"timestamp="TIME""#),
    ]}, {
        assert_snapshot!(format!("{name}.terminal"), terminal::render(report, false));
        assert_snapshot!(format!("{name}.coloured"), terminal::render(report, true));
        assert_snapshot!(format!("{name}.markdown"), markdown::render(report));
        assert_snapshot!(format!("{name}.junit"), junit::render(report).unwrap());
    });
}

#[test]
fn a_report_in_which_everything_holds() {
    let report = good();
    assert_eq!(report.exit_code(), 0);
    if cfg!(target_os = "linux") {
        assert!(report.runners.iter().all(|runner| runner.peak_mib > Some(0)));
    }
    check("good", &report);
}

#[test]
fn a_report_in_which_much_does_not_hold() {
    let report = bad();
    assert_eq!(report.exit_code(), 4);
    check("bad", &report);
}

#[test]
fn a_pair_that_diverged_is_told_why() {
    let check = |left: &str, right: &str, reason: &str| {
        let runners =
            [("left", left), ("right", right)].map(|(name, fault)| support::member(name, &["--fault", fault]));
        let report = support::run(runners.into());
        assert_eq!(report.exit_code(), 1);
        assert!(report.pairs.iter().all(|pair| pair.stats.first_divergence.is_none()));
        let expected = format!("left ~ right (prefill): {reason}");
        let text = terminal::render(&report, false);
        assert!(text.contains(&expected), "{expected:?} is not in {text}");
        assert!(junit::render(&report).unwrap().contains(reason));
    };
    // The same NaN on both sides is no agreement.
    check(
        "not-finite",
        "not-finite",
        "all logits have the same bits, the log-probs of coded tokens differ by up to 0; \
         1 and 1 values are not finite; no tolerance passes",
    );
    check(
        "none",
        "wrong-coded",
        "all logits have the same bits, the log-probs of coded tokens differ by up to 1.0e0; \
         0 and 0 values are not finite; smallest tolerance that passes: 1.0e0",
    );
}

#[test]
fn a_report_of_an_exact_graph() {
    let runners = ["left", "right"].map(|name| support::member(name, &["--exact"]));
    let report = support::run(runners.into());
    check_json(&report);
    let text = terminal::render(&report, false);
    assert!(text.contains("  dynamic  yes\n"), "{text}");
    assert!(text.contains("  lanes ~ lanes-prefill  exact  "), "{text}");
}

#[test]
fn what_was_shortened_stands_below_the_models() {
    let mut report = good();
    report.remarks = vec!["shortened: for a reason".to_owned()];
    check_json(&report);
    let remark = "15 tokens\n  shortened: for a reason\n";
    assert!(terminal::render(&report, false).contains(remark));
    assert!(markdown::render(&report).contains("\n- shortened: for a reason\n"));
}

#[test]
fn a_runner_s_words_cannot_steer_the_terminal() {
    let mut report = good();
    report.runners[0].name = "\x1b[2Jleft\n".to_owned();
    let text = terminal::render(&report, false);
    assert!(!text.contains('\x1b'));
    assert!(text.contains("\u{fffd}[2Jleft\u{fffd}"));
}
