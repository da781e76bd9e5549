//! `llmzip bench`: a row for every measurement, whose numbers belong together.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::cli::{has_environments, run, text};

#[test]
fn every_runner_has_a_row_for_each_way_and_number_of_lanes() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = text(&folder.path().join("rows.json"));
    let words =
        "bench --quiet --variant exact --variant q4 --lanes 3,1 --lane-tokens 20 --least-tokens 40 --runs 2 --json";
    let args: Vec<&str> = words.split(' ').chain([json.as_str()]).collect();
    let ended = run(&args);
    ended.check(0, "");
    let table = String::from_utf8(ended.stdout.clone()).unwrap();
    assert!(table.contains("24 measurements, each the median of 2"), "{table}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let mut expected = Vec::new();
    for model in ["tiny/exact", "tiny/q4"] {
        for runner in ["rust", "python", "node"] {
            for (lanes, tokens) in [(1, 40), (3, 60)] {
                for operation in ["encode", "decode"] {
                    expected.push((model, runner, operation, lanes, tokens));
                }
            }
        }
    }
    assert_eq!(rows.len(), expected.len());
    for (row, (model, runner, operation, lanes, tokens)) in rows.iter().zip(expected) {
        let words = ["model", "runner", "operation"].map(|name| row[name].as_str().unwrap());
        assert_eq!(words, [model, runner, operation]);
        assert_eq!(
            [&row["lanes"], &row["tokens"]].map(Value::as_u64),
            [Some(lanes), Some(tokens)]
        );
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name} of {row}"));
        assert!(number("session_share") < 1.0 && number("session_share") > 0.0);
        for name in [
            "tokens_per_s",
            "raw_tokens_per_s",
            "of_raw",
            "bytes_per_s",
            "bits_per_byte",
        ] {
            assert!(number(name) > 0.0, "{name} of {row}");
        }
        assert_eq!(row["runs"].as_array().unwrap().len(), 2);
        if cfg!(target_os = "linux") {
            assert!(number("peak_mib") > 10.0);
        }
    }
    // The container of an exact graph is the same bytes whoever writes it.
    let sizes: Vec<&Value> = rows[..12]
        .iter()
        .filter(|row| row["lanes"] == 3)
        .map(|row| &row["bits_per_byte"])
        .collect();
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

#[test]
fn what_cannot_be_timed_is_refused() {
    run(&["bench", "--only", "mine"]).check(2, "--only mine: there is no such runner");
    run(&["bench", "--text", "/none/such"]).check(1, "cannot read");
    run(&["bench", "--runner", "mine"]).check(2, "--runner mine: it has no `=`");
    run(&["bench", "--runner", "rust=mine"]).check(2, "a runner of this name is already there");
    run(&["bench", "--lanes", "257"]).check(2, "257 is not in 1..=256");
    run(&["bench", "--json", "/none/such/rows.json"]).check(1, "cannot write");
    run(&["bench", "--json", "-"]).check(2, "stdout has the table");
}

#[test]
fn what_was_measured_is_kept_where_another_runner_fails() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = text(&folder.path().join("rows.json"));
    let words = "bench --quiet --variant q4 --only rust-rten,rust,rust --lanes 1 --least-tokens 40 --runs 1 --json";
    let args: Vec<&str> = words.split(' ').chain([json.as_str()]).collect();
    let ended = run(&args);
    let table = String::from_utf8(ended.stdout.clone()).unwrap();
    assert_eq!(ended.code, Some(1), "{table} {}", ended.stderr);
    assert!(table.contains("Requests that failed"), "{table}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["rows"].as_array().unwrap().len(), 2, "once, both ways");
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["runner"], "rust-rten");
    assert_eq!(failures[0]["error"]["code"], "unsupported");
}

#[test]
fn a_runner_of_one_s_own_is_measured_too_and_not_believed_blindly() {
    let folder = tempfile::tempdir().unwrap();
    let json = text(&folder.path().join("rows.json"));
    let program = text(support::fake_runner());
    let check = |fault: &str, code: i32, rows: usize, said: &str| {
        let mine = format!("mine='{program}' --fault {fault}");
        // What is in the model's files is no matter to it; `--only` leaves it nobody else to wait for.
        let words = "bench --quiet --variant q4 --only mine --lanes 1,2 --lane-tokens 30 --least-tokens 30 --runs 2";
        let mut args: Vec<&str> = words.split(' ').collect();
        args.extend(["--runner", &mine, "--json", &json]);
        let ended = run(&args);
        let table = String::from_utf8(ended.stdout.clone()).unwrap();
        assert_eq!(ended.code, Some(code), "{fault}: {table} {}", ended.stderr);
        assert!(table.contains(said), "{fault}: {table}");
        let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
        assert_eq!(report["rows"].as_array().unwrap().len(), rows, "{fault}");
        for row in report["rows"].as_array().unwrap() {
            assert_eq!([&row["of_raw"], &row["session_share"]], [0.5, 0.75]);
            assert_eq!(row["tokens_per_s"], row["tokens"].as_f64().unwrap() / 2.0);
        }
    };
    check("times", 0, 4, "4 measurements, each the median of 2");
    check(
        "impossible-times",
        5,
        0,
        "3 s of `encode` were spent in the session, of 2 s in all",
    );
    check("loses-runs", 5, 0, "`encode` has 0 runs, not 2");
    check("none", 1, 0, "`bench` is not among the operations that hello names");
}
