//! Batches on the command lines of all three languages: how many lanes are fed at once changes no byte, and what a graph does not
//! take is refused, or done one by one, in the same words.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;
use std::process::Command;

use llmzip::setup::layout::venv_executable;
use support::cli::{Ended, command, finish, has_environments, root, text, write};

/// Makes a model folder of the embedded `q4` whose graph declares a batch of 1 everywhere.
const FIX_BATCH: &str = "
import shutil, sys, onnx
from pathlib import Path
source, target = map(Path, sys.argv[1:])
(target / 'onnx').mkdir(parents=True)
for name in ('config.json', 'tokenizer.json'):
    shutil.copyfile(source / name, target / name)
model = onnx.load(source / 'onnx' / 'model_q4.onnx')
for each in [*model.graph.input, *model.graph.output]:
    each.type.tensor_type.shape.dim[0].dim_value = 1
onnx.save(model, target / 'onnx' / 'model_q4.onnx')
";

const REASON: &str = "the batch dimension of input_ids is fixed at 1";

fn python() -> Command {
    let mut python = Command::new(venv_executable(&root().join("py-runner").join(".venv"), "python"));
    python.env("PYTHONPATH", root().join("py-runner").join("src"));
    python
}

/// The same words for each language's command.
fn each_language(words: &[&str]) -> [(&'static str, Ended); 3] {
    let mut in_python = python();
    in_python.args(["-m", "llmzip"]).args(words);
    let mut in_node = Command::new("node");
    in_node
        .arg(root().join("js-runner").join("bin").join("llmzip.mjs"))
        .args(words);
    [
        ("rust", finish(command(words), b"")),
        ("python", finish(in_python, b"")),
        ("node", finish(in_node, b"")),
    ]
}

fn plain(folder: &Path) -> String {
    let lines: Vec<String> = (1..60).map(|number| number.to_string()).collect();
    write(folder.join("plain"), lines.join("\n").as_bytes())
}

#[test]
fn how_many_lanes_are_fed_at_once_changes_no_byte() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (plain, out, back) = (
        plain(folder.path()),
        folder.path().join("out"),
        folder.path().join("back"),
    );
    let mut containers = Vec::new();
    for batch in ["1", "2", "5"] {
        for (language, ended) in each_language(&[
            "compress",
            &plain,
            "-f",
            "-o",
            &text(&out),
            "--lanes",
            "5",
            "--batch",
            batch,
        ]) {
            assert_eq!(ended.code, Some(0), "{language}: {}", ended.stderr);
        }
        containers.push(std::fs::read(&out).unwrap());
        for (language, ended) in each_language(&["decompress", &text(&out), "-f", "-o", &text(&back), "--batch", batch])
        {
            assert_eq!(ended.code, Some(0), "{language}: {}", ended.stderr);
            assert_eq!(
                std::fs::read(&back).unwrap(),
                std::fs::read(&plain).unwrap(),
                "{language}"
            );
        }
    }
    assert!(containers.iter().all(|container| *container == containers[0]));
}

#[test]
fn a_graph_of_one_lane_at_a_time_is_told_of_in_the_same_words() {
    if !has_environments() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    let mut fix = python();
    fix.args(["-c", FIX_BATCH])
        .arg(root().join("models").join("tiny"))
        .arg(&model);
    let fixed = finish(fix, b"");
    assert_eq!(fixed.code, Some(0), "{}", fixed.stderr);
    let (plain, model) = (plain(folder.path()), text(&model));
    let (out, back) = (folder.path().join("out"), folder.path().join("back"));
    let words = [
        "compress",
        &plain,
        "-f",
        "-o",
        &text(&out),
        "--model",
        &model,
        "--lanes",
        "3",
    ];
    let warning = format!("warning: lanes run one after another, the graph takes no batch: {REASON}\n");
    for (language, ended) in each_language(&words) {
        assert_eq!(ended.code, Some(0), "{language}: {}", ended.stderr);
        assert!(ended.stderr.contains(&warning), "{language}: {}", ended.stderr);
        for (reader, read) in each_language(&["decompress", &text(&out), "-f", "-o", &text(&back), "--model", &model]) {
            assert_eq!(read.code, Some(0), "{language} to {reader}: {}", read.stderr);
            assert!(read.stderr.contains(&warning), "{reader}: {}", read.stderr);
            assert_eq!(
                std::fs::read(&back).unwrap(),
                std::fs::read(&plain).unwrap(),
                "{language} to {reader}"
            );
        }
    }
    std::fs::remove_file(&out).unwrap();
    let refusal = format!("error[unsupported]: the graph takes one lane at a time, not a batch of 2: {REASON}\n");
    for (language, ended) in each_language(&[&words[..], &["--batch", "2"]].concat()) {
        assert_eq!(ended.code, Some(1), "{language}: {}", ended.stderr);
        assert!(ended.stderr.contains(&refusal), "{language}: {}", ended.stderr);
        assert!(!out.exists(), "{language}");
    }
}

#[test]
fn a_provider_that_is_not_here_is_told_of_in_the_same_words() {
    if !has_environments() {
        return;
    }
    let said = "error[unsupported]: the execution provider xnnpack is not in this build of ONNX Runtime\n";
    for (language, ended) in each_language(&["inspect", "--provider", "xnnpack"]) {
        assert_eq!(ended.code, Some(1), "{language}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{language}: {}", ended.stderr);
        assert_eq!(ended.stdout, b"", "{language}");
    }
    for (language, ended) in each_language(&["inspect", "--provider", "tpu"]) {
        assert_eq!(ended.code, Some(2), "{language}: {}", ended.stderr);
        assert!(ended.stderr.contains("tensorrt"), "{language}: {}", ended.stderr);
    }
}
