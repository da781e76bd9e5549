//! The messages as types against the messages as schemas, in both directions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use jsonschema::Validator;
use llmzip::ErrorCode;
use llmzip::model::provenance::Models;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use llmzip::runner::protocol::{
    Bye, Compress, Decompress, Detokenize, GraphOptimization, Hello, Inspect, Load, Logprobs, MAX_LINE_BYTES,
    Operation, PlanParams, ReplyLine, Tokenize, read_output,
};
use llmzip::runner::{RawOutcome, Runner, ask};
use serde_json::{Value, json};
use support::cli::{has_runtime, root};

/// The schema of one message.
fn schema(name: &str) -> Validator {
    let mut schema: Value = serde_json::from_str(include_str!("../schemas/protocol.json")).unwrap();
    assert!(schema["$defs"].get(name).is_some(), "the schema lacks {name}");
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn check(name: &str, message: &Value) {
    let errors: Vec<String> = schema(name)
        .iter_errors(message)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {message:#}");
}

/// A value, and all that differ from it in one place: with another member or one less, or with another leaf.
fn changes(value: &Value) -> Vec<Value> {
    let leaves = json!([null, true, -1, 0, 0.5, 4_294_967_296_u64, "", "x", [], {}]);
    let mut found = leaves.as_array().unwrap().clone();
    match value {
        Value::Object(members) => {
            let with = |name: &str, member: Option<Value>| {
                let mut changed = members.clone();
                changed.remove(name);
                changed.extend(member.map(|member| (name.to_owned(), member)));
                Value::Object(changed)
            };
            found.push(with("more", Some(json!(1))));
            for (name, member) in members {
                found.push(with(name, None));
                found.extend(changes(member).into_iter().map(|member| with(name, Some(member))));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().take(1) {
                found.extend(changes(item).into_iter().map(|item| {
                    let mut changed = items.clone();
                    changed[index] = item;
                    Value::Array(changed)
                }));
            }
        }
        _ => {}
    }
    found
}

/// Whatever the schema refuses in the place of a result, the type refuses as a breach of the protocol, and nothing else.
fn check_strictness<O: Operation>(result: &Value) {
    let schema = schema(&format!("{}.result", O::NAME));
    let mut refused = 0;
    for changed in changes(result) {
        let read = read_output::<O>("fake", changed.clone());
        // That a runner speaks another version is told in other words.
        let is_version = changed.get("protocol") == Some(&json!(0));
        assert_eq!(
            read.is_ok(),
            is_version || schema.is_valid(&changed),
            "{}: {changed}",
            O::NAME
        );
        refused += usize::from(read.is_err_and(|error| error.code == ErrorCode::Runner));
    }
    assert!(refused > 5, "{}: {refused}", O::NAME);
}

/// Sends a request that the schema knows, and holds the answer to the schema too.
fn converse<O: Operation>(runner: &mut dyn Runner, params: &O) -> Value {
    let json = serde_json::to_value(params).unwrap();
    check(&format!("{}.params", O::NAME), &json);
    check("request", &json!({"id": 1, "op": O::NAME, "params": json}));
    match runner.request(O::NAME, json, &mut |_| Ok(())).unwrap() {
        RawOutcome::Done(value) => {
            check(&format!("{}.result", O::NAME), &value);
            check("reply", &json!({"id": 1, "result": value}));
            check_strictness::<O>(&value);
            serde_json::to_value(serde_json::from_value::<Value>(value).unwrap()).unwrap()
        }
        RawOutcome::Skipped(skip) => panic!("skipped: {}", skip.reason),
    }
}

#[test]
fn every_message_keeps_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("plain"), b"plain").unwrap();
    let mut runner = support::start("fake", &[]);
    let runner: &mut dyn Runner = &mut runner;
    converse(runner, &Hello { protocol: 1 });
    let load = Load {
        model_dir: "models/tiny".into(),
        model_file: "onnx/model.onnx".into(),
        model_sha256: "a".repeat(64),
        tokenizer_sha256: "b".repeat(64),
        threads: 1,
        provider: "cpu".to_owned(),
        graph_optimization: GraphOptimization::All,
    };
    converse(runner, &load);
    converse(runner, &Inspect {});
    let ids = converse(
        runner,
        &Tokenize {
            text: "a\u{1f600}\0".to_owned(),
        },
    )["ids"]
        .clone();
    converse(
        runner,
        &Detokenize {
            ids: serde_json::from_value(ids).unwrap(),
        },
    );
    let logprobs = Logprobs {
        ids: vec![1, 2, 3],
        plan: PlanParams { lanes: 1, chunk: 2 },
        start_token: 0,
        window: 16,
        overlap: 4,
        logits_file: file("logits"),
        coded_file: file("coded"),
        rows_file: Some(file("rows")),
    };
    converse(runner, &logprobs);
    let compress = Compress {
        input_file: file("plain"),
        output_file: file("container"),
        lanes: 1,
        eps: "5e-5".to_owned(),
        start_token: 0,
        window: 16,
        overlap: 4,
        frame_bytes: 1024,
    };
    converse(runner, &compress);
    converse(
        runner,
        &Decompress {
            input_file: file("container"),
            output_file: file("again"),
        },
    );
    converse(runner, &Bye {});
}

#[test]
fn a_line_is_a_reply_where_the_schema_says_so() {
    let good = [
        json!({"id": 7, "result": {}}),
        json!({"id": 7, "skip": {"reason": "not here"}}),
        json!({"id": 7, "error": {"code": "io", "message": "m", "hint": "h"}}),
        json!({"id": 7, "progress": {"done": 1, "total": 2}}),
    ];
    let schema = schema("reply");
    for reply in good {
        assert!(schema.is_valid(&reply), "{reply}");
        for changed in changes(&reply) {
            // What is in a result depends on the request: see above.
            if changed.get("result").is_some_and(|result| !result.is_object()) {
                continue;
            }
            let read = serde_json::from_value::<ReplyLine>(changed.clone());
            assert_eq!(read.is_ok(), schema.is_valid(&changed), "{changed}");
        }
    }
}

#[test]
fn a_runner_whose_result_is_none_is_stopped() {
    let mut runner = support::start("faulty", &["--fault", "wrong-shape"]);
    let request = Tokenize { text: "a".to_owned() };
    let error = ask(&mut runner, &request, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code, ErrorCode::Runner);
    assert!(
        error.message.contains("answered `tokenize` with another shape"),
        "{error}"
    );
    assert!(runner.exit_status().is_some(), "it still runs");
    assert_eq!(ask(&mut runner, &Bye {}, &mut |_| Ok(())).unwrap_err(), error);
}

#[test]
fn a_request_that_is_longer_than_a_line_may_be_is_not_sent() {
    let mut runner = support::start("fake", &[]);
    let text = "a".repeat(MAX_LINE_BYTES);
    let error = ask(&mut runner, &Tokenize { text }, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code, ErrorCode::Usage);
    let request = Tokenize { text: "a".to_owned() };
    ask(&mut runner, &request, &mut |_| Ok(())).unwrap();
}

/// Our own runner, in a process of its own.
fn own_runner() -> ProcessRunner {
    let command = CommandSpec {
        program: env!("CARGO_BIN_EXE_llmzip").into(),
        args: vec!["runner".to_owned()],
        env: Vec::new(),
    };
    ProcessRunner::start("rust", &command, Timeouts::default()).unwrap()
}

#[test]
fn our_own_runner_refuses_what_the_protocol_does_not_have() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("in"), b"123").unwrap();
    std::fs::write(
        file("counting"),
        b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n",
    )
    .unwrap();
    let mut runner = own_runner();
    let mut ask = |op: &str, params: &Value| {
        let outcome = runner.request(op, params.clone(), &mut |_| Ok(()));
        outcome.map(drop).map_err(|error| error.code)
    };
    let choice = Models::find(root()).unwrap().choose("tiny", Some("q4")).unwrap();
    let load = json!({
        "model_dir": std::path::absolute(&choice.model_dir).unwrap(),
        "model_file": choice.model_file,
        "model_sha256": choice.model_sha256.unwrap().to_string(),
        "tokenizer_sha256": choice.tokenizer_sha256.unwrap().to_string(),
        "threads": 1,
        "provider": "cpu",
        "graph_optimization": "all",
    });
    let logprobs = json!({
        "ids": [17, 18],
        "plan": {"lanes": 1, "chunk": 1},
        "start_token": 0,
        "window": 16,
        "overlap": 4,
        "logits_file": file("logits"),
        "coded_file": file("coded"),
        "rows_file": file("rows"),
    });
    let compress = json!({
        "input_file": file("in"),
        "output_file": file("container"),
        "lanes": 1,
        "eps": "5e-5",
        "start_token": 0,
        "window": 16,
        "overlap": 4,
        "frame_bytes": 1024,
    });
    let decompress = json!({"input_file": file("container"), "output_file": file("out")});
    let bench = json!({
        "input_file": file("counting"),
        "lanes": 1,
        "eps": "5e-5",
        "start_token": 0,
        "window": 16,
        "overlap": 4,
        "runs": 1,
    });
    let good = [
        ("hello", json!({"protocol": 1})),
        ("load", load),
        ("inspect", json!({})),
        ("tokenize", json!({"text": "12"})),
        ("detokenize", json!({"ids": [17, 18]})),
        ("logprobs", logprobs),
        ("compress", compress),
        ("decompress", decompress),
        ("bench", bench),
    ];
    let wrong = [
        ("hello", "/protocol", json!(2)),
        ("load", "/model_dir", json!("models/tiny")),
        ("detokenize", "/ids/1", json!(u32::MAX)),
        ("logprobs", "/plan", json!({"lanes": 1, "chunk": 1, "more": 1})),
        ("logprobs", "/start_token", json!(1_000_000)),
        ("logprobs", "/logits_file", json!("logits")),
        ("logprobs", "/coded_file", json!("coded")),
        ("logprobs", "/rows_file", json!("rows")),
        ("compress", "/start_token", json!(1_000_000)),
        ("compress", "/input_file", json!("in")),
        ("compress", "/output_file", json!("container")),
        ("decompress", "/input_file", json!("container")),
        ("decompress", "/output_file", json!("out")),
        ("bench", "/input_file", json!("in")),
        ("bench", "/runs", json!(0)),
        ("bench", "/runs", json!(1001)),
        ("bench", "/lanes", json!(257)),
    ];
    for (op, params) in &good {
        assert_eq!(ask(op, params), Ok(()), "{op}");
        let mut more = params.clone();
        more["more"] = json!(1);
        assert_eq!(ask(op, &more), Err(ErrorCode::Usage), "{op}");
        for (_, place, value) in wrong.iter().filter(|(wrong, ..)| wrong == op) {
            let mut params = params.clone();
            *params.pointer_mut(place).unwrap() = value.clone();
            assert_eq!(ask(op, &params), Err(ErrorCode::Usage), "{op} {place}");
        }
    }
    assert_eq!(ask("bye", &json!({"more": 1})), Err(ErrorCode::Usage));
    assert_eq!(ask("bye", &json!({})), Ok(()));
}

#[test]
fn the_schema_refuses_what_the_protocol_does_not_have() {
    let refused = [
        ("request", json!({"id": -1, "op": "bye"})),
        ("request", json!({"id": 1, "op": "nonsense"})),
        ("request", json!({"id": 1, "op": "tokenize"})),
        (
            "request",
            json!({"id": 1, "op": "tokenize", "params": {"text": "a", "more": 1}}),
        ),
        ("reply", json!({"id": 1})),
        (
            "reply",
            json!({"id": 1, "result": {}, "error": {"code": "io", "message": "m"}}),
        ),
        ("reply", json!({"id": 1, "error": {"code": "nonsense", "message": "m"}})),
        ("load.result", json!({"model_sha256": "A"})),
        ("compress.params", json!({"eps": "1.5e-3"})),
        ("bench.time", json!({"elapsed_s": 0, "session_s": 0, "passes_s": 1})),
        ("tokenize.result", json!({"ids": [-1]})),
        ("tokenize.result", json!({"ids": [4_294_967_296_u64]})),
    ];
    for (name, message) in refused {
        assert!(!schema(name).is_valid(&message), "{name} {message}");
    }
}
