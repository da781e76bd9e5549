//! `info` by the table that all three languages are held to: `cases/info.json`, whose form is said in `cases/make_info.py`. No model
//! is read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::cli::{command, finish, root, run, text};

/// The container of a case.
fn container(case: &Value) -> Vec<u8> {
    if let Some(hex) = case["hex"].as_str() {
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        return (0..hex.len()).step_by(2).map(digits).collect();
    }
    let mut bytes = std::fs::read(root().join("golden").join(case["file"].as_str().unwrap())).unwrap();
    if let Some(cut) = case["cut"].as_u64() {
        bytes.truncate(cut as usize);
    }
    if let Some(flip) = case["flip"].as_i64() {
        let place = flip.rem_euclid(bytes.len() as i64) as usize;
        bytes[place] ^= 1;
    }
    if case["append"] == "00" {
        bytes.push(0);
    }
    bytes
}

#[test]
fn what_is_told_is_what_the_table_says() {
    let table: Value = serde_json::from_str(include_str!("cases/info.json")).unwrap();
    let cases = table["cases"].as_array().unwrap();
    let of = |code: &str| cases.iter().filter(|case| !case[code].is_null()).count();
    assert!(of("view") > 30 && of("code") > 10 && of("hex") > 1);
    for case in cases {
        let container = container(case);
        let name = format!("{} {} {} {}", case["file"], case["cut"], case["flip"], case["append"]);
        let json = finish(command(&["info", "-", "--json"]), &container);
        let plain = finish(command(&["info", "-"]), &container);
        if case["code"].is_null() {
            json.check(0, "");
            let told: Value = serde_json::from_slice(&json.stdout).unwrap();
            assert_eq!(told, case["view"], "{name}");
            let told = String::from_utf8(plain.stdout).unwrap();
            assert_eq!(Value::from_iter(told.lines()), case["text"], "{name}");
            assert_eq!((json.stderr, plain.stderr), (String::new(), String::new()), "{name}");
        } else {
            for ended in [json, plain] {
                ended.check(1, &format!("error[{}]: ", case["code"].as_str().unwrap()));
                assert!(ended.stdout.is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn a_file_is_read_as_stdin_is() {
    let path = root().join("golden").join("tiny").join("q4").join("crlf.llmzip");
    let ended = run(&["info", &text(&path)]);
    let piped = finish(command(&["info", "-"]), &std::fs::read(&path).unwrap());
    ended.check(0, "");
    assert_eq!(ended.stdout, piped.stdout);
    run(&["info", &text(&path.with_file_name("none"))]).check(1, "error[io]: ");
}
