//! `llmzip smoke` on runners that are right and on runners that are not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use insta::assert_snapshot;
use support::cli::{Ended, command, finish, has_environments, has_runtime, root, run, text};
use support::fake_runner;

fn stdout(ended: &Ended) -> String {
    String::from_utf8(ended.stdout.clone()).unwrap()
}

/// A fake accepts every hash and writes containers of its own.
#[track_caller]
fn check_fake(name: &str, code: i32, args: &[&str]) {
    let fake = text(fake_runner());
    let ended = run(&[&["smoke", "--request-timeout", "5", &fake], args].concat());
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert_snapshot!(name, stdout(&ended));
}

#[test]
fn a_fake_is_found_out() {
    check_fake("fake", 1, &[]);
    check_fake("fake.skips", 1, &["--fault", "skips"]);
    check_fake("fake.has-few", 1, &["--fault", "has-few"]);
    check_fake("fake.has-no-load", 1, &["--fault", "has-no-load"]);
    check_fake("fake.skips-hello", 1, &["--fault", "skips-hello"]);
    check_fake("fake.wrong-coded", 1, &["--fault", "wrong-coded"]);
    check_fake("fake.not-finite", 1, &["--fault", "not-finite"]);
}

#[test]
fn a_runner_that_breaks_is_not_asked_again() {
    check_fake("fake.wrong-shape", 5, &["--fault", "wrong-shape"]);
    check_fake("fake.wrong-id", 5, &["--fault", "wrong-id"]);
    check_fake("fake.prints", 5, &["--fault", "prints-to-stdout"]);
}

#[test]
fn a_command_that_cannot_be_tried_is_an_error() {
    run(&["smoke", "no-such-program-anywhere"]).check(3, "error[setup]: cannot start runner");
    run(&["smoke", "'unfinished"]).check(2, "error[usage]: the runner's command cannot be read");
    run(&["smoke", "--model", "large", "anything"]).check(2, "error[usage]: there is no model large");
}

/// Every step is ok.
#[track_caller]
fn check_right(words: &[&str], python_path: bool) {
    let mut command = command(&[&["smoke"], words].concat());
    if python_path {
        command.env("PYTHONPATH", root().join("py-runner").join("src"));
    }
    let ended = finish(command, b"");
    let lines = stdout(&ended);
    assert_eq!(ended.code, Some(0), "{lines}\n{}", ended.stderr);
    assert_eq!(lines.lines().count(), 20, "{lines}");
    assert!(lines.lines().all(|line| line.ends_with(" ok")), "{lines}");
}

#[test]
fn the_rust_runner_is_right() {
    if has_runtime() {
        check_right(&[env!("CARGO_BIN_EXE_llmzip"), "runner"], false);
    }
}

#[test]
fn the_python_runner_is_right() {
    if has_environments() {
        let python = llmzip::setup::layout::venv_executable(&root().join("py-runner").join(".venv"), "python");
        check_right(&[&text(&python), "-m", "llmzip", "runner"], true);
    }
}

#[test]
fn the_node_runner_is_right() {
    if has_environments() {
        let script = text(&root().join("js-runner").join("bin").join("llmzip.mjs"));
        check_right(&["node", &script, "runner"], false);
    }
}
