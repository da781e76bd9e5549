//! Ctrl-C, termination and sudden death: no file half written, no process left.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use llmzip::setup;
use rustix::process::{Pid, Signal, kill_process};
use support::cli::{command, has_environments, has_runtime, names, text, wait, write};

/// How long a test waits for what must happen; it is no measure of how soon it should.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `condition` holds.
#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "{what} did not happen");
        sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn start(mut command: Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Whether a process has mapped ONNX Runtime: it is past its beginnings.
fn runs_onnxruntime(child: &Child) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", child.id()));
    maps.is_ok_and(|maps| maps.contains("libonnxruntime"))
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_compress_leaves_nothing() {
    if !has_runtime() {
        return;
    }
    for ending in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().unwrap();
        // Far more than is compressed before the signal comes.
        let long = "what is long takes long; ".repeat(40_000);
        let input = write(folder.path().join("in"), long.as_bytes());
        let output = text(&folder.path().join("out"));
        let child = start(command(&["compress", &input, "-o", &output]));
        until("the work", || runs_onnxruntime(&child));
        assert_eq!(names(folder.path()).len(), 2, "the input and what is being written");
        signal(&child, ending);
        wait(child).check(130, "error[interrupted]: ");
        assert_eq!(names(folder.path()), ["in"]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_decompress_leaves_nothing() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path().join("in"), b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
    let container = text(&folder.path().join("container"));
    wait(start(command(&["compress", &input, "-o", &container]))).check(0, "");
    let bytes = std::fs::read(&container).unwrap();
    let output = text(&folder.path().join("out"));
    let mut child = start(command(&["decompress", "-", "-o", &output]));
    // All but the end: the reader has decoded what there is and waits for more.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&bytes[..bytes.len() - 10]).unwrap();
    until("the work", || runs_onnxruntime(&child));
    signal(&child, Signal::INT);
    wait(child).check(130, "error[interrupted]: ");
    assert_eq!(names(folder.path()), ["container", "in"]);
}

#[test]
fn waiting_for_stdin_can_be_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let output = text(&folder.path().join("out"));
    let mut child = start(command(&["decompress", "-", "-o", &output]));
    let stdin = child.stdin.take();
    until("the temporary file", || !names(folder.path()).is_empty());
    signal(&child, Signal::INT);
    wait(child).check(130, "error[interrupted]: ");
    assert!(names(folder.path()).is_empty());
    drop(stdin);
}

#[test]
fn a_runner_ends_with_its_stdin_or_a_signal() {
    if !has_runtime() {
        return;
    }
    let hello = b"{\"id\": 3, \"op\": \"hello\", \"params\": {\"protocol\": 1}}\n";
    let greeted = || {
        let mut child = start(command(&["runner"]));
        child.stdin.as_mut().unwrap().write_all(hello).unwrap();
        let mut reply = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"{\"id\":3,");
        child
    };
    let mut child = greeted();
    drop(child.stdin.take());
    wait(child).check(0, "");
    let mut child = greeted();
    let stdin = child.stdin.take();
    signal(&child, Signal::TERM);
    wait(child).check(130, "error[interrupted]: ");
    drop(stdin);
}

/// The processes whose parent is `parent`.
#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<u32> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|&pid| status(pid).is_some_and(|(ppid, _)| ppid == parent))
        .collect()
}

/// The processes that come from `ancestor`.
#[cfg(target_os = "linux")]
fn descendants(ancestor: u32) -> Vec<u32> {
    let mut all = children(ancestor);
    let mut next = 0;
    while next < all.len() {
        all.extend(children(all[next]));
        next += 1;
    }
    all
}

/// Whether a process is Chromium's.
#[cfg(target_os = "linux")]
fn is_chromium(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.starts_with("chrom"))
}

/// A process's parent and whether it runs: a zombie does not.
#[cfg(target_os = "linux")]
fn status(pid: u32) -> Option<(u32, bool)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    Some((fields.next()?.parse().ok()?, !matches!(state, "Z" | "X")))
}

/// A `conform` whose runners have begun, and all the processes that come from it.
#[cfg(target_os = "linux")]
fn conform_at_work(temporary: &Path) -> (Child, Vec<u32>) {
    let mut conform = command(&["conform", "--quiet"]);
    conform.env("TMPDIR", temporary);
    let child = start(conform);
    let in_browser = setup::find_chromium().is_ok();
    // rust-rten, Python, Node and, where there is Chromium, the bridge to it.
    let runners = if in_browser { 4 } else { 3 };
    let mut processes = Vec::new();
    until("the start of all runners", || {
        processes = descendants(child.id());
        // They have loaded the model once they have logits to write.
        let scratch = names(temporary);
        children(child.id()).len() == runners
            && scratch.iter().any(|name| name.starts_with("llmzip-"))
            && processes.iter().any(|&pid| is_chromium(pid)) == in_browser
    });
    (child, processes)
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_conform_leaves_no_runner_and_no_files() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (child, processes) = conform_at_work(folder.path());
    signal(&child, Signal::INT);
    wait(child).check(130, "error[interrupted]: ");
    for pid in processes {
        assert!(!status(pid).is_some_and(|(_, runs)| runs), "{pid} still runs");
    }
    let scratch = names(folder.path());
    let left = scratch.iter().find(|name| name.starts_with("llmzip-"));
    assert_eq!(left, None, "the scratch folder is gone");
}

#[cfg(target_os = "linux")]
#[test]
fn runners_do_not_outlive_a_conform_that_was_killed() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut child, processes) = conform_at_work(folder.path());
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    for pid in processes {
        until(&format!("the end of {pid}"), || {
            !status(pid).is_some_and(|(_, runs)| runs)
        });
    }
}
