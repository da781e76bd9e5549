//! What an earlier fetch left, or one that runs, and what the next makes of it.

use crate::clone::{Clone, right, serve};
use crate::support::cli::names;
use crate::support::server::Step;

#[test]
fn the_next_fetch_goes_on_where_the_last_one_ended() {
    let clone = Clone::of_known();
    let server = serve(&[Step::DropsAfter(100_000), Step::DropsAfter(50_000), Step::Honest]);
    for kept in [100_000, 150_000] {
        clone
            .fetch_from(&server, &["--retries", "0"])
            .check(3, "the connection ended");
        assert!(!clone.is_there());
        assert_eq!(std::fs::read(clone.beside(".partial")).unwrap(), right()[..kept]);
    }
    clone.fetch_from(&server, &["--retries", "0"]).check(0, "");
    assert!(clone.is_there());
    let ranges: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            (
                seen.header("Range").map(str::to_owned),
                seen.header("If-Range").map(str::to_owned),
            )
        })
        .collect();
    let part = |from: &str| (Some(format!("bytes={from}-")), Some("\"right\"".to_owned()));
    assert_eq!(ranges, [(None, None), part("100000"), part("150000")]);
}

#[test]
fn a_partial_file_that_is_nothing_right_does_no_harm() {
    let bytes = right();
    for (name, partial, etag) in [
        ("other bytes", vec![7; 1000], "\"right\""),
        ("as many other bytes as the file has", vec![7; bytes.len()], "\"right\""),
        ("more bytes than the file has", vec![7; bytes.len() + 1], "\"right\""),
        (
            "the beginning, and an ETag that steers",
            bytes[..1000].to_vec(),
            "\"x\"\r\nHost: elsewhere\r\n",
        ),
        ("the beginning, and a weak ETag", bytes[..1000].to_vec(), "W/\"right\""),
        ("the whole file", bytes.clone(), ""),
    ] {
        let (clone, server) = (Clone::of_known(), serve(&[Step::Honest]));
        std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
        std::fs::write(clone.beside(".partial"), partial).unwrap();
        std::fs::write(clone.beside(".partial.etag"), etag).unwrap();
        clone.fetch_from(&server, &["--retries", "1"]).check(0, "");
        assert!(clone.is_there(), "{name}");
        assert_eq!(names(clone.graph().parent().unwrap()), ["model_q4f16.onnx"], "{name}");
    }
}

#[test]
fn a_wrong_file_under_the_name_is_replaced_and_a_right_one_kept() {
    let clone = Clone::of_known();
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    let wrong: Vec<u8> = right().iter().map(|byte| !byte).collect();
    std::fs::write(clone.graph(), wrong).unwrap();
    let server = serve(&[Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "it is replaced");
    assert!(clone.is_there());
    clone.fetch_from(&server, &[]).check(0, "is there");
    assert_eq!(server.seen().len(), 1, "nothing is asked for twice");
}

#[test]
fn no_second_fetch_runs_beside_another() {
    let (clone, server) = (Clone::of_known(), serve(&[Step::Honest]));
    let lock = std::fs::File::create(clone.folder.path().join("models/.fetch.lock")).unwrap();
    lock.lock().unwrap();
    clone.fetch_from(&server, &[]).check(3, "another process is fetching");
    drop(lock);
    clone.fetch_from(&server, &[]).check(0, "");
}

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_fetch_leaves_what_the_next_goes_on_with() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use crate::support::cli::wait;
    use rustix::process::{Pid, Signal, kill_process};

    for (steps, kept) in [(Step::StallsAfter(100_000), 100_000), (Step::Silent, 0)] {
        let (clone, server) = (Clone::of_known(), serve(&[steps, Step::Honest]));
        let mut command = clone.command(&["fetch", "small", "--mirror", &server.url()]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // How long the test waits is no measure of how soon it must be.
        let started = Instant::now();
        let length = || clone.beside(".partial").metadata().map_or(0, |metadata| metadata.len());
        while length() < kept || server.seen().is_empty() {
            assert!(started.elapsed() < Duration::from_secs(120), "nothing came");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        wait(child).check(130, "the same command goes on where this one ended");
        assert!(!clone.is_there());
        clone.fetch_from(&server, &[]).check(0, "");
        assert!(clone.is_there());
        let range = (kept > 0).then(|| format!("bytes={kept}-"));
        assert_eq!(server.seen()[1].header("Range"), range.as_deref());
    }
}
