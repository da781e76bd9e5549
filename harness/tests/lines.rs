//! What a line may hold, by the table that all three languages are held to: `cases/lines.json`. Here the lines go to our own runner.
//!
//! In the table a `line` is text or a list of parts: text, bytes in `hex`, or something to `repeat`. `id` and `code` are the reply's; a `code` of null is a result.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};
use support::cli::{command, has_runtime};

/// The bytes of a line, without its end.
fn bytes_of(line: &Value) -> Vec<u8> {
    match line {
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(parts) => parts.iter().flat_map(bytes_of).collect(),
        part => match (part["hex"].as_str(), part["repeat"].as_str()) {
            (Some(hex), None) => (0..hex.len())
                .step_by(2)
                .map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap())
                .collect(),
            (None, Some(text)) => text
                .repeat(usize::try_from(part["times"].as_u64().unwrap()).unwrap())
                .into_bytes(),
            _ => panic!("{part} is no part of a line"),
        },
    }
}

#[test]
fn lines_are_answered_as_the_table_says() {
    if !has_runtime() {
        return;
    }
    let table: Vec<Value> = serde_json::from_str(include_str!("cases/lines.json")).unwrap();
    let mut runner = command(&["runner"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut requests, replies) = (runner.stdin.take().unwrap(), runner.stdout.take().unwrap());
    let lines: Vec<Value> = table.iter().map(|case| case["line"].clone()).collect();
    let writer = thread::spawn(move || {
        for line in &lines {
            requests.write_all(&bytes_of(line)).unwrap();
            requests.write_all(b"\n").unwrap();
        }
    });
    let mut replies = BufReader::new(replies).lines();
    for case in &table {
        let reply: Value = serde_json::from_str(&replies.next().unwrap().unwrap()).unwrap();
        let expected = (&case["id"], &case["code"]);
        assert_eq!(
            (&reply["id"], &reply["error"]["code"]),
            expected,
            "{}: {reply}",
            case["what"]
        );
        assert_eq!(
            reply.get("result").is_some(),
            case["code"].is_null(),
            "{}",
            case["what"]
        );
    }
    assert!(replies.next().is_none(), "a reply that nobody asked for");
    writer.join().unwrap();
    assert!(runner.wait().unwrap().success());
}

#[test]
fn the_table_has_lines_of_the_longest_length_and_longer_ones() {
    let table: Vec<Value> = serde_json::from_str(include_str!("cases/lines.json")).unwrap();
    let lengths: Vec<(Value, usize)> = table
        .iter()
        .filter(|case| !case["bytes"].is_null())
        .map(|case| (case["bytes"].clone(), bytes_of(&case["line"]).len()))
        .collect();
    let longest = llmzip::runner::protocol::MAX_LINE_BYTES;
    assert_eq!(lengths, [(json!(longest), longest), (json!(longest + 1), longest + 1)]);
}
