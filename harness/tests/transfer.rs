//! `compress` and `decompress` as a user of other compressors knows them: names, what is kept and what goes, verification, lanes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::process::Command;

use llmzip::compressor::auto_lanes;
use serde_json::Value;
use support::cli::{command, finish, has_runtime, names, root, run, text, write};
use tempfile::TempDir;

const PLAIN: &[u8] = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n\xFF the end";

/// A folder with a file `plain` in it.
fn place() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("plain"), PLAIN);
    folder
}

fn ok(args: &[&str]) -> String {
    let ended = run(args);
    ended.check(0, "");
    ended.stderr
}

#[test]
fn names_follow_and_the_input_stays() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let plain = text(&folder.path().join("plain"));
    let container = format!("{plain}.llmzip");
    ok(&["compress", &plain]);
    assert_eq!(names(folder.path()), ["plain", "plain.llmzip"]);
    run(&["compress", &plain, "-k"]).check(2, "is already there");
    run(&["decompress", &container]).check(2, "is already there");
    std::fs::write(&plain, "another").unwrap();
    ok(&["decompress", &container, "-f"]);
    assert_eq!(std::fs::read(&plain).unwrap(), PLAIN);
    assert_eq!(names(folder.path()), ["plain", "plain.llmzip"]);
}

#[test]
fn pipes_follow_as_well() {
    if !has_runtime() {
        return;
    }
    let packed = finish(command(&["compress", "-"]), PLAIN);
    packed.check(0, "bytes to");
    let back = finish(command(&["decompress", "-", "-q"]), &packed.stdout);
    back.check(0, "");
    assert_eq!((back.stdout.as_slice(), back.stderr.as_str()), (PLAIN, ""));
}

#[test]
fn what_is_asked_for_goes_when_the_output_is_complete() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let plain = text(&folder.path().join("plain"));
    let container = format!("{plain}.llmzip");
    ok(&["compress", &plain, "--rm", "--verify"]);
    assert_eq!(names(folder.path()), ["plain.llmzip"]);
    // A failure keeps it.
    let mut damaged = std::fs::read(&container).unwrap();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let bad = write(folder.path().join("bad.llmzip"), &damaged);
    run(&["decompress", &bad, "--rm"]).check(1, "error[format]: ");
    assert_eq!(names(folder.path()), ["bad.llmzip", "plain.llmzip"]);
    // The last word counts.
    ok(&["decompress", &container, "--rm", "--keep"]);
    assert_eq!(names(folder.path()), ["bad.llmzip", "plain", "plain.llmzip"]);
    ok(&["decompress", &container, "-f", "--keep", "--rm"]);
    assert_eq!(names(folder.path()), ["bad.llmzip", "plain"]);
    assert_eq!(std::fs::read(&plain).unwrap(), PLAIN);
}

#[test]
fn nothing_goes_without_a_file_in_its_place() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let plain = text(&folder.path().join("plain"));
    assert!(ok(&["compress", &plain, "-o", "-", "--rm"]).contains("note: --rm removes nothing"));
    #[cfg(unix)]
    assert!(ok(&["compress", &plain, "-o", "/dev/null", "--rm"]).contains("note: --rm removes nothing"));
    assert_eq!(names(folder.path()), ["plain"]);
    let out = text(&folder.path().join("out"));
    let piped = finish(command(&["compress", "-", "-o", &out, "--rm"]), PLAIN);
    piped.check(0, "note: --rm removes nothing");
}

#[cfg(unix)]
#[test]
fn an_input_that_is_the_output_by_another_name_is_kept() {
    let folder = place();
    let (plain, link) = (folder.path().join("plain"), folder.path().join("link"));
    std::os::unix::fs::symlink(&plain, &link).unwrap();
    for (input, output) in [(&plain, &link), (&link, &plain)] {
        run(&["compress", &text(input), "-o", &text(output), "-f", "--rm"]).check(2, "is the input and the output");
    }
    assert_eq!(std::fs::read(&plain).unwrap(), PLAIN);
}

#[test]
fn what_is_written_is_decoded_before_it_counts() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    let out = text(&folder.path().join("out"));
    let piped = finish(
        command(&["compress", "-", "-o", &out, "--verify", "--frame-bytes", "9"]),
        PLAIN,
    );
    piped.check(0, ", verified\n");
    assert!(piped.stdout.is_empty());
    let back = run(&["decompress", &out, "-o", "-"]);
    assert_eq!(back.stdout, PLAIN);
}

#[test]
fn lanes_follow_from_the_tokens_of_a_frame() {
    if !has_runtime() {
        return;
    }
    let folder = place();
    // So many tokens that auto takes more than one lane; the model has a token for each digit.
    let plain = write(folder.path().join("digits"), "1\n".repeat(8200).as_bytes());
    let out = text(&folder.path().join("out"));
    let lanes = |options: &[&str]| {
        ok(&[&["compress", &plain, "-o", &out, "-f"], options].concat());
        let info: Value = serde_json::from_slice(&run(&["info", &out, "--json"]).stdout).unwrap();
        (info["tokens"].as_u64().unwrap() as usize, info["lanes"].clone())
    };
    let (tokens, found) = lanes(&[]);
    let expected = auto_lanes(tokens);
    assert!(expected > 1, "{tokens} tokens");
    assert_eq!(found, serde_json::json!({"least": expected, "most": expected}));
    assert_eq!(lanes(&["--lanes", "auto"]), (tokens, found));
    assert_eq!(lanes(&["--lanes", "3"]).1, serde_json::json!({"least": 3, "most": 3}));
}

#[test]
fn the_example_of_the_library_runs() {
    if !has_runtime() {
        return;
    }
    let example = support::built_example("round_trip");
    let ended = Command::new(example).current_dir(root()).output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
