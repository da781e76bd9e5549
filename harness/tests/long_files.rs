//! Files of 100 MB, in memory that does not grow with them: real runners, of which one after another compresses and decompresses bytes that
//! are no text, so that the model, which would take hours, is not asked.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Duration;

use llmzip::model::provenance::Models;
use llmzip::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use llmzip::runner::protocol::{Compress, Decompress, GraphOptimization, Load, Operation, Outcome};
use llmzip::runner::{Runner, ask};
use llmzip::setup::Layout;
use llmzip::setup::layout::venv_executable;
use support::cli::{has_environments, has_runtime, root};

const MEBIBYTE: usize = 1 << 20;
/// Less than any copy of the file, or of half of it, takes.
const MOST_GROWTH_MIB: u64 = 48;

/// A byte that no text has, and something that is not the same in every frame.
fn write_input(path: &Path, mebibytes: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..mebibytes {
        let mut piece = vec![0xFF; MEBIBYTE];
        piece[number] = 0xFE;
        file.write_all(&piece).unwrap();
    }
    file.flush().unwrap();
}

fn same(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let (mut a, mut b) = (vec![0; MEBIBYTE], vec![0; MEBIBYTE]);
    loop {
        let read = one.read(&mut a).unwrap();
        if read == 0 {
            return other.read(&mut b).unwrap() == 0;
        }
        if other.read_exact(&mut b[..read]).is_err() || a[..read] != b[..read] {
            return false;
        }
    }
}

fn done<O: Operation>(runner: &mut ProcessRunner, params: &O) -> O::Output {
    let outcome = ask(runner, params, &mut |_| Ok(())).unwrap();
    let Outcome::Done(output) = outcome else {
        unreachable!("{} is not skipped", O::NAME);
    };
    output
}

/// The peak of a runner that has brought back so many MiB.
fn peak_after(runner: &mut ProcessRunner, mebibytes: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    write_input(&file("in"), mebibytes);
    let compress = Compress {
        input_file: file("in"),
        output_file: file("container"),
        lanes: 64,
        eps: "0".to_owned(),
        start_token: 0,
        window: 64,
        overlap: 16,
        frame_bytes: MEBIBYTE as u32,
    };
    assert_eq!(done(runner, &compress).plain_bytes, (mebibytes * MEBIBYTE) as u64);
    let decompress = Decompress {
        input_file: file("container"),
        output_file: file("out"),
    };
    done(runner, &decompress);
    assert!(same(&file("in"), &file("out")), "{}: other bytes", runner.name());
    runner.peak_mib().unwrap()
}

fn check(name: &str, program: &Path, args: &[&str], env: &[(&str, &Path)]) {
    let command = CommandSpec {
        program: program.to_owned(),
        args: args.iter().map(ToString::to_string).collect(),
        env: env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.display().to_string()))
            .collect(),
    };
    let timeouts = Timeouts {
        request: Duration::from_secs(600),
        ..Timeouts::default()
    };
    let mut runner = ProcessRunner::start(name, &command, timeouts).unwrap();
    let choice = Models::find(root()).unwrap().choose("tiny", Some("exact")).unwrap();
    let load = Load {
        model_dir: std::path::absolute(&choice.model_dir).unwrap(),
        model_file: choice.model_file.into(),
        model_sha256: choice.model_sha256.unwrap().to_string(),
        tokenizer_sha256: choice.tokenizer_sha256.unwrap().to_string(),
        threads: 1,
        provider: "cpu".to_owned(),
        graph_optimization: GraphOptimization::All,
    };
    done(&mut runner, &load);
    let few = peak_after(&mut runner, 8);
    let many = peak_after(&mut runner, 100);
    assert!(
        many <= few + MOST_GROWTH_MIB,
        "{name}: {few} MiB after 8, {many} after 100"
    );
    runner.stop();
}

#[test]
fn rust() {
    if has_runtime() {
        check("rust", Path::new(env!("CARGO_BIN_EXE_llmzip")), &["runner"], &[]);
    }
}

#[test]
fn python() {
    if has_environments() {
        let layout = Layout::at(root());
        let python = venv_executable(&layout.virtual_env(), "python");
        let source = layout.py_runner().join("src");
        check(
            "python",
            &python,
            &["-P", "-m", "llmzip", "runner"],
            &[("PYTHONPATH", &source)],
        );
    }
}

#[test]
fn node() {
    if has_environments() {
        let script = Layout::at(root()).js_runner().join("bin").join("llmzip.mjs");
        check(
            "node",
            Path::new("node"),
            &[&script.display().to_string(), "runner"],
            &[],
        );
    }
}
