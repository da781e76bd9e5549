//! The page's server as a command: what it answers, whom it answers, and its end.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::cli::{command, has_environments, run, wait};

/// A server that ends with the test, whatever becomes of that.
struct Server {
    child: Option<Child>,
    /// Host and port.
    place: String,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut child = command(&[&["serve", "--port", "0"], args].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let place = line.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/\n"));
        let place = place.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self {
            child: Some(child),
            place,
        }
    }

    /// The answer to a request for a path under a name of the server.
    fn get(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.place).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
        }
    }
}

#[test]
fn the_page_is_served_to_this_machine_and_ends_without_a_fault() {
    if !has_environments() {
        return;
    }
    for ending in [Signal::INT, Signal::TERM] {
        let mut server = Server::start(&["--model", "tiny", "--variant", "q4"]);
        assert!(server.place.starts_with("127.0.0.1:"), "{}", server.place);
        let page = server.get(&server.place, "/");
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        assert!(page.contains("Content-Security-Policy: default-src 'none';"), "{page}");
        assert!(page.contains("Cross-Origin-Embedder-Policy: require-corp"), "{page}");
        assert!(page.contains("<title>LLMzip</title>"), "{page}");
        assert!(
            server
                .get(&server.place, "/catalogue.json")
                .contains("\"variant\":\"q4\"")
        );
        // A name that a page elsewhere has given to this address.
        assert!(server.get("example.org", "/").starts_with("HTTP/1.1 404"));
        let child = server.child.take().unwrap();
        kill_process(Pid::from_child(&child), ending).unwrap();
        let ended = wait(child);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(
            ended.stderr,
            "the page is served to this machine alone; Ctrl-C ends it\n"
        );
        assert!(TcpStream::connect(&server.place).is_err(), "somebody still listens");
    }
}

#[test]
fn what_cannot_be_served_is_told() {
    run(&["serve", "--model", "no-such-model"]).check(2, "error[usage]: ");
    run(&["serve", "--variant", "no-such-variant"]).check(2, "error[usage]: ");
    run(&["serve", "--port", "65536"]).check(2, "--port");
}
