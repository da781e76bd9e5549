//! The messages as types against the messages as schemas, in both directions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use jsonschema::Validator;
use llmzip::ErrorCode;
use llmzip::model::provenance::Models;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use llmzip::runner::protocol::{
    Bye, Compress, Decompress, Detokenize, GraphOptimization, Hello, Inspect, Load, Logprobs, Operation, PlanParams,
    Tokenize,
};
use llmzip::runner::{RawOutcome, Runner};
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

/// Sends a request that the schema knows, and holds the answer to the schema too.
fn converse<O: Operation>(runner: &mut dyn Runner, params: &O) -> Value {
    let json = serde_json::to_value(params).unwrap();
    check(&format!("{}.params", O::NAME), &json);
    check("request", &json!({"id": 1, "op": O::NAME, "params": json}));
    match runner.request(O::NAME, json, &mut |_| Ok(())).unwrap() {
        RawOutcome::Done(value) => {
            check(&format!("{}.result", O::NAME), &value);
            check("reply", &json!({"id": 1, "result": value}));
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
    let good = [
        ("hello", json!({"protocol": 1})),
        ("load", load),
        ("inspect", json!({})),
        ("tokenize", json!({"text": "12"})),
        ("detokenize", json!({"ids": [17, 18]})),
        ("logprobs", logprobs),
        ("compress", compress),
        ("decompress", decompress),
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
        ("tokenize.result", json!({"ids": [-1]})),
        ("tokenize.result", json!({"ids": [4_294_967_296_u64]})),
    ];
    for (name, message) in refused {
        assert!(!schema(name).is_valid(&message), "{name} {message}");
    }
}
