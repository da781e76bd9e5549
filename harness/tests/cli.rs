//! The command line's words: help, and errors with their hints and exit codes. What runs here needs no ONNX Runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use insta::{assert_snapshot, with_settings};
use llmzip::compressor::{CompressOptions, ModelIdentity};
use llmzip::container::layout::{End, Preamble, StoredFrame};
use llmzip::model::context::ContextPolicy;
use llmzip::model::provenance::{Hash, Models};
use support::cli::{Ended, command, finish, names, run, text, write};
use tempfile::TempDir;

/// Holds a command to its words; hashes, and the checks over them, change with the model.
fn check(name: &str, folder: &TempDir, ended: &Ended) {
    with_settings!({filters => vec![
        (r"[0-9a-f]{64}", "[SHA256]"),
        (r"is [0-9a-f]{8} and not [0-9a-f]{8}", "is [CRC32] and not [CRC32]"),
    ]}, {
        assert_snapshot!(name, ended.told(folder.path()));
    });
}

/// A container of a stored frame, which needs no model to be written.
fn container(model_sha256: Hash, tokenizer_sha256: Hash, plain: &[u8]) -> Vec<u8> {
    let preamble = Preamble {
        model_sha256,
        tokenizer_sha256,
        vocab_size: 300,
        eps: "5e-5".parse().unwrap(),
        offsets: 32,
        context: ContextPolicy {
            start_token: 0,
            window: 512,
            overlap: 128,
        },
        fingerprint: "test/x64".to_owned(),
    };
    let end = End {
        plain_sha256: Hash::of(plain),
    };
    [preamble.write(), StoredFrame::write(plain), end.write()].concat()
}

/// The embedded model's hashes.
fn tiny() -> ModelIdentity {
    let models = Models::find(support::cli::root()).unwrap();
    let choice = models.choose("tiny", Some("q4")).unwrap();
    ModelIdentity {
        model_sha256: choice.model_sha256.unwrap(),
        tokenizer_sha256: choice.tokenizer_sha256.unwrap(),
    }
}

#[test]
fn every_command_says_what_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    check("help", &folder, &run(&["--help"]));
    for name in [
        "compress",
        "decompress",
        "info",
        "inspect",
        "conform",
        "golden",
        "models",
        "serve",
        "setup",
        "doctor",
        "runner",
        "smoke",
    ] {
        check(&format!("help.{name}"), &folder, &run(&[name, "--help"]));
    }
    for name in ["list", "fetch", "verify", "path", "import"] {
        check(
            &format!("help.models.{name}"),
            &folder,
            &run(&["models", name, "--help"]),
        );
    }
}

#[test]
fn a_wrong_command_line_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    check("usage.no-command", &folder, &run(&[]));
    check("usage.no-input", &folder, &run(&["compress"]));
    check("usage.unknown-flag", &folder, &run(&["inspect", "--colour"]));
    check(
        "usage.threads",
        &folder,
        &run(&["compress", "-", "-o", "-", "--threads", "0"]),
    );
    check("usage.emulate", &folder, &run(&["conform", "--emulate", "haswell,z80"]));
    check("usage.verify-sha", &folder, &run(&["inspect", "--verify-sha=perhaps"]));
}

/// An error of `compress` that is found before a model is loaded, with a file `in` and a file `there` beside it.
#[track_caller]
fn refused(name: &str, args: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path().join("in"), b"some text");
    write(folder.path().join("there"), b"precious");
    let in_folder = |arg: &&str| arg.replace("FOLDER", folder.path().to_str().unwrap());
    let args: Vec<String> = args.iter().map(in_folder).collect();
    let ended = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
    check(name, &folder, &ended);
    assert_eq!(names(folder.path()), ["in", "there"], "nothing is left");
    assert_eq!(std::fs::read(folder.path().join("there")).unwrap(), b"precious");
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    refused("compress.no-input", &["compress", "FOLDER/none", "-o", "FOLDER/out"]);
    refused(
        "compress.output-is-there",
        &["compress", "FOLDER/in", "-o", "FOLDER/there"],
    );
    refused(
        "compress.output-is-a-folder",
        &["compress", "FOLDER/in", "-o", "FOLDER", "-f"],
    );
    refused(
        "compress.output-in-no-folder",
        &["compress", "FOLDER/in", "-o", "FOLDER/none/out"],
    );
    refused(
        "compress.output-is-the-input",
        &["compress", "FOLDER/in", "-o", "FOLDER/in", "-f"],
    );
    refused(
        "compress.verify-needs-a-file",
        &["compress", "FOLDER/in", "-o", "-", "--verify"],
    );
    refused("decompress.no-name", &["decompress", "FOLDER/in"]);
    refused(
        "decompress.no-input",
        &["decompress", "FOLDER/none", "-o", "FOLDER/out"],
    );
    refused(
        "decompress.output-is-there",
        &["decompress", "FOLDER/in", "-o", "FOLDER/there"],
    );
}

#[test]
fn what_is_out_of_range_is_refused() {
    let compress = ["compress", "FOLDER/in", "-o", "FOLDER/out"];
    let with = |flag: &'static str, value: &'static str| [&compress[..], &[flag, value]].concat();
    refused("compress.eps-too-large", &with("--eps", "1"));
    refused("compress.eps-too-fine", &with("--eps", "1.2345e-5"));
    refused("compress.eps-no-number", &with("--eps", "small"));
    refused("compress.no-lanes", &with("--lanes", "0"));
    refused("compress.lanes-no-number", &with("--lanes", "many"));
    refused("compress.too-many-lanes", &with("--lanes", "257"));
    refused("compress.unknown-model", &with("--model", "large"));
    refused("compress.unknown-variant", &with("--variant", "q8"));
    refused("compress.no-model-folder", &with("--model", "FOLDER"));
    refused("inspect.unknown-variant", &["inspect", "--variant", "q8"]);
}

/// `conform` over one runner that this command starts.
fn conform(command: &str, more: &[&str]) -> Ended {
    let runner = format!("mine={command}");
    run(&[&["conform", "--only", "mine", "--runner", &runner], more].concat())
}

#[test]
fn a_run_that_cannot_prove_what_was_asked_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    check("conform.no-tokens", &folder, &run(&["conform", "--tokens", "0"]));
    check(
        "conform.required-and-left-out",
        &folder,
        &run(&["conform", "--only", "python", "--require", "node"]),
    );
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let there = text(folder.path());
    let nowhere = text(&folder.path().join("none").join("report"));
    for flag in ["--report", "--junit", "--markdown"] {
        for (path, code) in [(&there, 2), (&nowhere, 1)] {
            // A run would end with 3: its runner cannot be started.
            let ended = conform("no-such-program-at-all", &[flag, path]);
            ended.check(code, path);
            assert!(ended.stdout.is_empty(), "{flag}: nothing was run");
        }
    }
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_runner_that_was_named_must_run() {
    let ended = conform("no-such-program-at-all", &[]);
    ended.check(3, "");
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(
        said.contains("cannot start runner mine (no-such-program-at-all)"),
        "{said}"
    );
    conform("no-such-program-at-all", &["--require", "mine"]).check(3, "cannot start runner mine");
}

#[test]
fn a_runner_that_skips_everything_proves_nothing() {
    let mute = format!("'{}' --fault skips-all", text(support::fake_runner()));
    conform(&mute, &["--variant", "q4"]).check(1, "");
    conform(&mute, &["--variant", "q4", "--require", "mine"]).check(3, "");
}

#[test]
fn a_model_whose_files_are_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    std::fs::copy(
        support::cli::root().join("models").join("manifest.toml"),
        models.join("manifest.toml"),
    )
    .unwrap();
    let mut command = command(&["inspect"]);
    command.env("LLMZIP_ROOT", folder.path());
    check("inspect.no-model-file", &folder, &finish(command, b""));
}

#[cfg(unix)]
#[test]
fn the_doctor_does_not_ask_for_what_set_up_gets_by_itself() {
    if !support::cli::has_environments() {
        return;
    }
    // A PATH without uv.
    let folder = tempfile::tempdir().unwrap();
    let venv = support::cli::root().join("py-runner").join(".venv");
    let python = llmzip::setup::layout::venv_executable(&venv, "python");
    let tools = [
        ("python3", python),
        ("node", which::which("node").unwrap()),
        ("npm", which::which("npm").unwrap()),
    ];
    for (name, path) in tools {
        std::os::unix::fs::symlink(path, folder.path().join(name)).unwrap();
    }
    let mut doctor = command(&["doctor"]);
    doctor.env("PATH", folder.path());
    let ended = finish(doctor, b"");
    let lines = String::from_utf8(ended.stdout.clone()).unwrap();
    assert_eq!(ended.code, Some(0), "{lines}");
    assert!(!lines.contains("missing"), "{lines}");
}

/// An error of `decompress` that is found before a model is loaded.
#[track_caller]
fn not_decompressed(name: &str, container: &[u8], model: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path().join("in"), container);
    let output = text(&folder.path().join("out"));
    let args = [&["decompress", &input, "-o", &output], model].concat();
    check(name, &folder, &run(&args));
    assert_eq!(names(folder.path()), ["in"], "nothing is left");
}

#[test]
fn what_is_no_container_of_a_known_model_is_refused() {
    let tiny = tiny();
    let good = container(tiny.model_sha256, tiny.tokenizer_sha256, b"plain");
    not_decompressed("decompress.no-container", b"just some text", &[]);
    not_decompressed("decompress.empty", b"", &[]);
    not_decompressed("decompress.cut-in-the-head", &good[..50], &[]);
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    not_decompressed("decompress.flipped-in-the-head", &flipped, &[]);
    let mut newer = good;
    newer[4] = 2;
    not_decompressed("decompress.another-version", &newer, &[]);
    let strange = container(Hash([7; 32]), tiny.tokenizer_sha256, b"plain");
    not_decompressed("decompress.unknown-model", &strange, &[]);
    not_decompressed("decompress.another-model", &strange, &["--model", "tiny"]);
}

#[test]
fn the_default_frame_is_the_library_s() {
    let help = run(&["compress", "--help"]);
    let stated = format!("[default: {}]", CompressOptions::DEFAULT_FRAME_BYTES);
    assert!(String::from_utf8_lossy(&help.stdout).contains(&stated));
}
