//! The messages as types against the messages as schemas, in both directions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use jsonschema::Validator;
use llmzip::runner::protocol::{
    Bye, Compress, Decompress, Detokenize, GraphOptimization, Hello, Inspect, Load, Logprobs, Operation, PlanParams,
    Tokenize,
};
use llmzip::runner::{RawOutcome, Runner};
use serde_json::{Value, json};

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
