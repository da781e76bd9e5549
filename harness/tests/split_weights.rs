//! A model whose weights lie in files beside its ONNX file: every runner reads what every other wrote with it, and none goes on
//! when one of the files is another.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use llmzip::ErrorCode;
use llmzip::model::graph::wire::{Fields, Value, bytes, integer};
use llmzip::model::provenance::{Hash, ModelChoice, Models};
use llmzip::report::Report;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use llmzip::runner::{RawOutcome, Runner as _};
use serde_json::json;
use support::cli::{has_environments, root, run, text};

/// A tensor below this size, in bytes, stays in the graph: the runtime wants to see numbers that shapes depend on.
const SMALL: usize = 4096;
const DATA: [&str; 2] = ["weights.b", "weights.a"];

/// An ONNX file whose large initializers lie in the two files, in turns, and the files' content.
fn split(onnx: &[u8]) -> (Vec<u8>, [Vec<u8>; 2]) {
    let (mut files, mut count) = ([Vec::new(), Vec::new()], 0);
    let model = mapped(onnx, 7, &mut |graph| {
        mapped(graph, 5, &mut |tensor| {
            count += 1;
            moved(tensor, DATA[count % 2], &mut files[count % 2])
        })
    });
    (model, files)
}

/// A message with other content in its fields of this number.
fn mapped(message: &[u8], number: u64, change: &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let fields = Fields::new(message).whole().map(|field| match field.unwrap() {
        (found, Value::Bytes(content), _) if found == number => bytes(number, &change(content)),
        (_, _, taken) => taken.to_vec(),
    });
    fields.collect::<Vec<_>>().concat()
}

/// A tensor with its bytes, where they are many, at the end of a file.
fn moved(tensor: &[u8], name: &str, file: &mut Vec<u8>) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut place = None;
    for field in Fields::new(tensor).whole() {
        match field.unwrap() {
            (9, Value::Bytes(raw), _) if raw.len() >= SMALL => {
                place = Some((file.len(), raw.len()));
                file.extend_from_slice(raw);
            }
            (_, _, taken) => kept.extend_from_slice(taken),
        }
    }
    if let Some((offset, length)) = place {
        for (key, value) in [
            ("location", name.to_owned()),
            ("offset", offset.to_string()),
            ("length", length.to_string()),
        ] {
            let entry = [bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat();
            kept.extend(bytes(13, &entry));
        }
        kept.extend(integer(14, 1));
    }
    kept
}

/// A folder with a model like the embedded one's variant q4, split, and a manifest beside it.
fn model(folder: &Path) -> ModelChoice {
    let tiny = root().join("models/tiny");
    let onnx = folder.join("halved/onnx");
    fs::create_dir_all(&onnx).unwrap();
    for name in ["config.json", "tokenizer.json"] {
        fs::copy(tiny.join(name), folder.join("halved").join(name)).unwrap();
    }
    let (graph, files) = split(&fs::read(tiny.join("onnx/model_q4.onnx")).unwrap());
    assert!(files.iter().all(|file| file.len() > 100_000) && graph.len() < 400_000);
    fs::write(onnx.join("model_q4.onnx"), graph).unwrap();
    for (name, content) in DATA.iter().zip(files) {
        fs::write(onnx.join(name), content).unwrap();
    }
    let mut manifest = r#"
version = 1
[[model]]
name = "halved"
folder = "halved"
source = "a test"
licence = "MIT OR Apache-2.0"
tokenizer = "tokenizer.json"
window = 512
overlap = 128
start_token = 0
[[model.variant]]
dtype = "q4"
file = "onnx/model_q4.onnx"
data = ["onnx/weights.b", "onnx/weights.a"]
activation = "float32"
eps = "5e-5"
"#
    .to_owned();
    let paths = [
        "config.json",
        "tokenizer.json",
        "onnx/model_q4.onnx",
        "onnx/weights.a",
        "onnx/weights.b",
    ];
    for path in paths {
        let hash = Hash::of(&fs::read(folder.join("halved").join(path)).unwrap());
        writeln!(manifest, "[[model.file]]\npath = \"{path}\"\nsha256 = \"{hash}\"").unwrap();
    }
    fs::write(folder.join("manifest.toml"), manifest).unwrap();
    let models = Models::of_manifest(&folder.join("manifest.toml")).unwrap();
    models.choose("halved", None).unwrap()
}

#[test]
fn every_runner_reads_what_every_other_wrote() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let choice = model(folder.path());
    let (halved, report) = (text(&choice.model_dir), folder.path().join("report.json"));
    let three = "rust,python,node";
    let words = [
        "conform",
        "--model",
        &halved,
        "--only",
        three,
        "--require",
        three,
        "--tokens",
        "300",
    ];
    run(&[&words[..], &["--report", &text(&report)]].concat()).check(0, "");
    let report: Report = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let known = choice.model_sha256.unwrap().to_string();
    assert!(report.models.iter().all(|model| model.sha256 == known));
    assert!(report.round_trips.len() >= 9 && report.pairs.len() >= 3);
}

/// The three runners, as `conform` starts them.
fn runners() -> Vec<(&'static str, CommandSpec)> {
    let command = |program: PathBuf, args: &[&str]| CommandSpec {
        program,
        args: args.iter().map(ToString::to_string).collect(),
        env: Vec::new(),
    };
    let scripts = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = root().join("py-runner/.venv").join(scripts).join("python");
    let mut python = command(python, &["-m", "llmzip", "runner"]);
    python.env = vec![("PYTHONPATH".into(), text(&root().join("py-runner/src")))];
    let node = text(&root().join("js-runner/bin/llmzip.mjs"));
    vec![
        ("rust", command(env!("CARGO_BIN_EXE_llmzip").into(), &["runner"])),
        ("python", python),
        ("node", command("node".into(), &[&node, "runner"])),
    ]
}

#[test]
fn no_runner_goes_on_with_other_files() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let choice = model(folder.path());
    let onnx = choice.model_dir.join("onnx");
    let graph_alone = Hash::of(&fs::read(onnx.join("model_q4.onnx")).unwrap());
    for (name, command) in runners() {
        let mut runner = ProcessRunner::start(name, &command, Timeouts::default()).unwrap();
        let mut load = |sha256: Hash| {
            let params = json!({
                "model_dir": std::path::absolute(&choice.model_dir).unwrap(),
                "model_file": choice.model_file,
                "model_sha256": sha256.to_string(),
                "tokenizer_sha256": choice.tokenizer_sha256.unwrap().to_string(),
                "threads": 1,
                "provider": "cpu",
                "graph_optimization": "all",
            });
            match runner.request("load", params, &mut |_| Ok(())) {
                Ok(RawOutcome::Done(result)) => Ok(result["model_sha256"].clone()),
                Ok(RawOutcome::Skipped(skip)) => panic!("{name} skips: {}", skip.reason),
                Err(error) => Err(error.code),
            }
        };
        let sha256 = choice.model_sha256.unwrap();
        assert_eq!(load(sha256), Ok(json!(sha256.to_string())), "{name}");
        assert_eq!(load(graph_alone), Err(ErrorCode::Integrity), "{name}");
        for file in DATA {
            let path = onnx.join(file);
            let content = fs::read(&path).unwrap();
            let mut changed = content.clone();
            changed[content.len() / 2] ^= 1;
            for (other, code) in [
                (Some(&changed[..]), ErrorCode::Integrity),
                (Some(&content[1..]), ErrorCode::Integrity),
                (None, ErrorCode::Setup),
            ] {
                match other {
                    Some(other) => fs::write(&path, other).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                assert_eq!(load(sha256), Err(code), "{name}, {file}");
            }
            fs::write(&path, content).unwrap();
        }
        assert_eq!(load(sha256), Ok(json!(sha256.to_string())), "{name}");
    }
}
