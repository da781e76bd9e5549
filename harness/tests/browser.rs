//! The runner in Chromium: what is said where there is none, and one that is really there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use llmzip::compare::classes::{PairClass, PairVerdict};
use llmzip::report::{Report, RunnerStatus};
use llmzip::setup;
use support::cli::{Ended, command, finish, has_environments, leave_out, run, text};

/// `conform` on a machine without Chromium, whatever this one has.
fn conform_without_chromium(args: &[&str]) -> Ended {
    let mute = format!("mine='{}' --fault skips-all", text(support::fake_runner()));
    let mut command = command(&[&["conform", "--variant", "exact", "--runner", &mute], args].concat());
    command.env("LLMZIP_CHROMIUM", "/llmzip/no/browser");
    finish(command, b"")
}

#[test]
fn without_chromium_the_runner_is_left_out_with_a_reason_or_ends_the_run() {
    let ended = conform_without_chromium(&["--only", "mine,browser-wasm"]);
    assert_eq!(ended.code, Some(1), "nothing was compared: {}", ended.stderr);
    let told = String::from_utf8_lossy(&ended.stdout);
    let line = told.lines().find(|line| line.trim_start().starts_with("browser-wasm"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("skipped"), "{line}");
    assert!(line.contains("LLMZIP_CHROMIUM is /llmzip/no/browser"), "{line}");

    let required = ["--only", "mine,browser-wasm", "--require", "browser-wasm"];
    let ended = conform_without_chromium(&required);
    ended.check(3, "error[setup]: LLMZIP_CHROMIUM is /llmzip/no/browser");
    ended.check(3, "apt-get install chromium");
    // The one on WebGPU is asked for by --require alone.
    conform_without_chromium(&["--require", "browser-webgpu"]).check(3, "error[setup]: LLMZIP_CHROMIUM is");
}

#[test]
fn a_browser_gives_an_exact_graph_the_same_bits_and_says_that_it_is_one() {
    if let Err(error) = setup::find_chromium() {
        leave_out(&error.to_string());
        return;
    }
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = text(&folder.path().join("report.json"));
    let runners = ["--only", "rust,browser-wasm", "--require", "browser-wasm"];
    let short = ["--variant", "exact", "--tokens", "40", "--report", &path];
    let ended = run(&[&["conform"], &runners[..], &short].concat());
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.code, Some(0), "{told} {}", ended.stderr);
    let report: Report = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let browser = report
        .runners
        .iter()
        .find(|runner| runner.name == "browser-wasm")
        .unwrap();
    assert_eq!(browser.status, RunnerStatus::Ok);
    let fingerprint = browser.fingerprint.clone().unwrap();
    assert_eq!(fingerprint.runtime.as_deref(), Some("onnxruntime-web"));
    assert_eq!(fingerprint.arch.as_deref(), Some("wasm"));
    let pairs: Vec<_> = report.pairs.iter().filter(|pair| pair.left != pair.right).collect();
    assert_eq!(pairs.len(), 5, "a pair for every plan of an exact graph");
    for pair in pairs {
        let found = (pair.class, pair.verdict);
        assert_eq!(found, (PairClass::Exact, PairVerdict::BitExact), "{}", pair.plan);
    }
    let across = report.round_trips.iter().filter(|trip| trip.encoder != trip.decoder);
    assert_eq!(across.count(), 22, "eleven inputs, each way");
    assert!(report.round_trips.iter().all(|trip| trip.ok));
}
