//! Faults and the codes that tell them apart, by the table that all three languages are held to: `cases/errors.json`. Here requests go
//! to our own runner, and commands to our own binary.
//!
//! In the table `FOLDER` is a folder of the case's own, with a file `plain`, a model in `models/tiny` and a container `packed` of it; `SHA256 FILE` is the hash
//! of a file of that model. `model` changes its files: text is their new content, an object replaces members of the JSON that is there,
//! null takes away. `links` are symbolic ones. `manifest` is the content of the manifest beside the model, or a change of the table's own. A `code` of null is a success.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;

use llmzip::ErrorCode;
use llmzip::model::provenance::Hash;
use llmzip::runner::Runner as _;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use serde_json::{Map, Value, json};
use support::cli::{LEAVE_NOTHING_OUT, has_runtime, root, run, text};

fn table() -> Value {
    serde_json::from_str(include_str!("cases/errors.json")).unwrap()
}

/// Links need a right on Windows that not everybody has.
fn can_be(case: &&Value) -> bool {
    cfg!(unix) || case["links"].is_null()
}

/// Makes the folder of a case.
fn prepare(folder: &Path, table: &Value, case: &Value) {
    std::fs::write(folder.join("plain"), "1\n2\n3\n").unwrap();
    let golden = root().join("golden").join("tiny").join("q4").join("one-byte.llmzip");
    std::fs::copy(golden, folder.join("packed")).unwrap();
    let (from, to) = (root().join("models").join("tiny"), folder.join("models").join("tiny"));
    std::fs::create_dir_all(to.join("onnx")).unwrap();
    for file in ["config.json", "tokenizer.json", "onnx/model_q4.onnx"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    #[cfg(unix)]
    for (name, to) in case["links"].as_object().unwrap_or(&Map::new()) {
        std::os::unix::fs::symlink(to.as_str().unwrap(), folder.join(name)).unwrap();
    }
    for (file, change) in case["model"].as_object().unwrap_or(&Map::new()) {
        let path = to.join(file);
        match change {
            Value::Null => std::fs::remove_file(path).unwrap(),
            Value::String(content) => std::fs::write(path, content).unwrap(),
            members => {
                let whole = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                std::fs::write(path, with(&whole, members).to_string()).unwrap();
            }
        }
    }
    let lines: Vec<&str> = table["manifest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let manifest = match &case["manifest"] {
        Value::Null => return,
        Value::String(content) => content.clone(),
        change => lines
            .join("\n")
            .replace(change[0].as_str().unwrap(), change[1].as_str().unwrap()),
    };
    std::fs::write(folder.join("models").join("manifest.toml"), manifest).unwrap();
}

/// An object with other members; null takes one away, and what is no object takes its place.
fn with(object: &Value, members: &Value) -> Value {
    if members.is_array() {
        return members.clone();
    }
    let mut object = object.clone();
    for (name, value) in members.as_object().unwrap_or(&Map::new()) {
        object[name] = value.clone();
        if value.is_null() {
            object.as_object_mut().unwrap().remove(name);
        }
    }
    object
}

/// A value of the table with what it stands for in this folder.
fn in_folder(folder: &Path, value: &Value) -> Value {
    match value {
        Value::String(text) => json!(match text.strip_prefix("SHA256 ") {
            Some(file) => {
                let file = folder.join("models").join("tiny").join(file);
                std::fs::read(file).map_or("0".repeat(64), |bytes| Hash::of(&bytes).to_string())
            }
            None => text.replace("FOLDER", folder.to_str().unwrap()),
        }),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), in_folder(folder, value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn requests_fail_with_the_codes_of_the_table() {
    if !has_runtime() {
        return;
    }
    let command = CommandSpec {
        program: env!("CARGO_BIN_EXE_llmzip").into(),
        args: vec!["runner".to_owned()],
        env: Vec::new(),
    };
    let mut runner = ProcessRunner::start("rust", &command, Timeouts::default()).unwrap();
    let mut ask = |op: &str, params: Value| {
        let outcome = runner.request(op, params, &mut |_| Ok(()));
        outcome.map_or_else(|error| json!(error.code), |_| Value::Null)
    };
    let table = table();
    let defaults = &table["requests"]["defaults"];
    for case in table["requests"]["cases"].as_array().unwrap().iter().filter(can_be) {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path(), &table, case);
        let op = case["op"].as_str().unwrap();
        let load = in_folder(folder.path(), &defaults["load"]);
        if case["unloaded"] == json!(true) {
            let wrong = with(&load, &json!({"model_sha256": "0".repeat(64)}));
            assert_eq!(ask("load", wrong), json!(ErrorCode::Integrity));
        } else if !["hello", "load"].contains(&op) {
            assert_eq!(ask("load", load), Value::Null, "{case}");
        }
        let params = with(defaults.get(op).unwrap_or(&json!({})), &case["params"]);
        assert_eq!(ask(op, in_folder(folder.path(), &params)), case["code"], "{case}");
    }
    assert_eq!(ask("bye", json!({})), Value::Null);
}

#[test]
fn a_test_is_not_left_out_where_none_may_be() {
    let without_runtime = |variable: &str| {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "requests_fail_with_the_codes_of_the_table", "--nocapture"]);
        again.env_remove(LEAVE_NOTHING_OUT).env(variable, "1");
        again.env("LLMZIP_ORT_LIB", "no-such-file").output().unwrap()
    };
    let ended = without_runtime("UNHEARD_OF");
    assert!(ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("left out: setup: LLMZIP_ORT_LIB names no-such-file"));
    assert!(!without_runtime(LEAVE_NOTHING_OUT).status.success());
}

#[test]
fn commands_fail_with_the_codes_of_the_table() {
    if !has_runtime() {
        return;
    }
    let table = table();
    for case in table["commands"].as_array().unwrap().iter().filter(can_be) {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path(), &table, case);
        let words = case["arguments"].as_array().unwrap();
        let folder_name = text(folder.path());
        let words: Vec<String> = words
            .iter()
            .map(|word| word.as_str().unwrap().replace("FOLDER", &folder_name))
            .collect();
        let ended = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let code: Option<ErrorCode> = serde_json::from_value(case["code"].clone()).unwrap();
        match code {
            None => ended.check(0, ""),
            Some(code) => ended.check(code.exit_code().into(), &format!("error[{}]: ", code.name())),
        }
        assert!(
            code.is_none() || !folder.path().join("out").exists(),
            "{case}: nothing is left"
        );
    }
}
