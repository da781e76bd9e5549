//! Emulated processors as runners: what is said where something is missing, and one that is really there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use insta::assert_snapshot;
use llmzip::compare::classes::{PairClass, PairVerdict};
use llmzip::report::Report;
use support::cli::{Ended, command, finish, has_environments, root, run, text, write};

/// A runner that is there whatever the machine has, and skips everything.
fn mute() -> String {
    format!("mine='{}' --fault skips-all", text(support::fake_runner()))
}

/// `conform` in a clone that was never set up, with `programs` on the PATH and nothing else.
fn conform_on_a_bare_machine(programs: &[&str], args: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    symlink(root().join("models"), folder.path().join("models")).unwrap();
    let sources = folder.path().join("py-runner");
    fs::create_dir(&sources).unwrap();
    write(sources.join("requirements.lock"), b"numpy==1.0\n");
    let path = folder.path().join("bin");
    fs::create_dir(&path).unwrap();
    for program in programs {
        let program = path.join(program);
        write(program.clone(), b"#!/bin/false\n");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mute = mute();
    let mut command = command(&[&["conform", "--variant", "exact", "--runner", &mute], args].concat());
    command.env("LLMZIP_ROOT", folder.path()).env("PATH", &path);
    finish(command, b"")
}

/// The table of the runners.
fn runners(ended: &Ended) -> String {
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    let table = told
        .split("\nRunners\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let table = table.unwrap_or_else(|| panic!("{told} {}", ended.stderr));
    // How much memory the fake runner held differs from run to run, and with it the width of a column.
    let without_numbers = |line: &str| {
        let words = line
            .split_whitespace()
            .map(|word| if word.parse::<u64>().is_ok() { "N" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    table.lines().map(without_numbers).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_processor_that_cannot_be_emulated_is_left_out_with_the_way_to_get_it() {
    let all = ["--emulate", "haswell,nehalem,aarch64"];
    let only = ["--only", "mine,python-haswell,python-nehalem,python-aarch64"];
    let without_qemu = conform_on_a_bare_machine(&[], &[all, only].concat());
    assert_eq!(
        without_qemu.code,
        Some(1),
        "nothing was compared: {}",
        without_qemu.stderr
    );
    assert_snapshot!("without-qemu", runners(&without_qemu));
    let arm = ["--emulate", "aarch64", "--only", "mine,python-aarch64"];
    assert_snapshot!(
        "without-root",
        runners(&conform_on_a_bare_machine(&["qemu-aarch64"], &arm))
    );
}

#[test]
fn a_processor_that_must_be_emulated_ends_the_run() {
    let required = [
        "--emulate",
        "haswell",
        "--only",
        "mine,python-haswell",
        "--require",
        "python-haswell",
    ];
    let ended = conform_on_a_bare_machine(&[], &required);
    ended.check(3, "error[setup]: qemu-x86_64 is not on the PATH");
    ended.check(3, "hint: run `python3 ci/prepare_emulation.py haswell`");
}

#[test]
fn only_what_is_emulated_has_a_name() {
    run(&["conform", "--only", "python-haswell"]).check(2, "--only python-haswell: there is no such runner");
    let taken = ["conform", "--emulate", "haswell", "--runner", "python-haswell=mine"];
    run(&taken).check(2, "a runner of this name is already there");
}

/// Whether the processor can be emulated here; says why not.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn can_emulate(emulator: &str) -> bool {
    let found = which::which(emulator).is_ok();
    if !found {
        eprintln!("left out: {emulator} is not on the PATH; python3 ci/prepare_emulation.py gets it");
    }
    found && has_environments()
}

#[test]
fn a_nehalem_gives_the_same_bits_and_says_that_it_is_one() {
    if !cfg!(target_arch = "x86_64") || !can_emulate("qemu-x86_64") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = text(&folder.path().join("report.json"));
    let runners = [
        "--emulate",
        "nehalem",
        "--only",
        "rust,python-nehalem",
        "--require",
        "python-nehalem",
    ];
    let short = ["--variant", "exact", "--tokens", "40", "--report", &path];
    let ended = run(&[&["conform"], &runners[..], &short].concat());
    assert_eq!(
        ended.code,
        Some(0),
        "{} {}",
        String::from_utf8_lossy(&ended.stdout),
        ended.stderr
    );
    let report: Report = serde_json::from_slice(&fs::read(Path::new(&path)).unwrap()).unwrap();
    let nehalem = report
        .runners
        .iter()
        .find(|runner| runner.name == "python-nehalem")
        .unwrap();
    assert_eq!(nehalem.fingerprint.clone().unwrap().cpu_features, ["sse4_1", "sse4_2"]);
    let pairs: Vec<_> = report.pairs.iter().filter(|pair| pair.left != pair.right).collect();
    assert_eq!(pairs.len(), 5, "a pair for every plan of an exact graph");
    for pair in pairs {
        assert_eq!(
            (pair.class, pair.verdict),
            (PairClass::Exact, PairVerdict::BitExact),
            "{}",
            pair.plan
        );
        assert_eq!(pair.stats.positions, 40);
    }
    assert_eq!(report.remarks.len(), 1);
    assert!(
        report.remarks[0].contains("1..1000 to 40 tokens"),
        "{:?}",
        report.remarks
    );
    let longest = report.round_trips.iter().map(|trip| trip.plain_bytes).max();
    assert_eq!(longest, Some(512));
}
