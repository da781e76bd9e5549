//! Fake runners in processes of their own, and a run over them that needs no model.

#![allow(dead_code, reason = "each test binary uses its part")]

#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub mod cli;
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use llmzip::compare::Classes;
use llmzip::conform::{self, Member, Observer, Settings, Target, inputs};
use llmzip::model::fingerprint::GraphOptimization;
use llmzip::report::Report;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use llmzip::runner::protocol::Progress;

/// The fake runner, built as this test was.
pub fn fake_runner() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built_example("fake_runner"))
}

/// An example of the library, built as this test was.
pub fn built_example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    // `cargo test` builds examples by itself, `cargo test --test NAME` does not.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--example", name, "--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "{name} cannot be built");
    folder
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Short limits, so that a fault shows soon; still far above what an honest fake needs.
pub fn timeouts() -> Timeouts {
    Timeouts {
        load: Duration::from_secs(20),
        request: Duration::from_secs(2),
        grace: Duration::from_millis(200),
    }
}

/// A fake runner, started.
pub fn start(name: &str, args: &[&str]) -> ProcessRunner {
    let command = CommandSpec {
        program: fake_runner().to_owned(),
        args: args.iter().map(ToString::to_string).collect(),
        env: Vec::new(),
    };
    ProcessRunner::start(name, &command, timeouts()).unwrap()
}

/// A member of a run.
pub fn member(name: &str, args: &[&str]) -> Member {
    Member::Ready(Box::new(start(name, args)))
}

/// Watches nothing.
pub struct Blind;

impl Observer for Blind {
    fn working(&self, _: &str, _: &str, _: &str, _: Option<Progress>) {}
    fn resting(&self, _: &str) {}
}

/// Runs over the fakes: a short sequence, two inputs, one target.
pub fn run(members: Vec<Member>) -> Report {
    let scratch = tempfile::tempdir().unwrap();
    conform::run(&settings(), members, scratch.path(), &Blind).unwrap()
}

/// As [`run`], with required runners.
pub fn run_required(required: &[&str], members: Vec<Member>) -> Report {
    let settings = Settings {
        required: required.iter().map(ToString::to_string).collect(),
        ..settings()
    };
    let scratch = tempfile::tempdir().unwrap();
    conform::run(&settings, members, scratch.path(), &Blind).unwrap()
}

/// What [`run`] runs.
pub fn settings() -> Settings {
    let input = |name: &str, bytes: &[u8]| inputs::Input {
        name: name.to_owned(),
        bytes: bytes.to_vec(),
        lanes: 1,
    };
    Settings {
        targets: vec![Target {
            name: "fake/none".to_owned(),
            model_dir: Path::new("nowhere").to_owned(),
            model_file: PathBuf::from("onnx/model.onnx"),
            model_sha256: "a".repeat(64),
            tokenizer_sha256: "b".repeat(64),
            eps: "5e-5".to_owned(),
            start_token: 0,
            window: 512,
            overlap: 128,
        }],
        sequence: input("counting", b"1 2 3 4 5 6 7 8"),
        sequence_tokens: None,
        inputs: vec![input("text", b"some text"), input("empty", b"")],
        required: Vec::new(),
        threads: 1,
        provider: "cpu".to_owned(),
        graph_optimization: GraphOptimization::All,
        frame_bytes: 1 << 20,
        remarks: Vec::new(),
        classes: Classes::built_in().unwrap(),
    }
}
