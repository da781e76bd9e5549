//! Goldens: written by one runner to the same bytes every time, held to by others, and never taken for what they are not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use insta::{assert_snapshot, with_settings};
use llmzip::compare::Classes;
use llmzip::conform::{Settings, Target, inputs};
use llmzip::golden::check::GoldenReport;
use llmzip::golden::codec_vectors::codec_vectors_text;
use llmzip::golden::recorded::Goldens;
use llmzip::golden::{self, table};
use llmzip::model::loaded::Engine;
use llmzip::model::provenance::{ModelChoice, Models};
use llmzip::runner::Runner;
use llmzip::runner::in_process::InProcessRunner;
use llmzip::setup::{self, Layout};
use llmzip::{Error, ErrorCode, Result};
use serde_json::{Value, json};

const MODEL: &str = "fake";

/// Goldens of the fake model, in a folder of their own.
struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn write_with(folder: &Path, settings: &Settings, runner: &mut dyn Runner) -> Result<golden::write::Summary> {
    let scratch = tempfile::tempdir().unwrap();
    golden::write(folder, MODEL, settings, runner, scratch.path(), &support::Blind)
}

fn written() -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MODEL);
    write_with(&path, &support::settings(), &mut support::start("writer", &[])).unwrap();
    Written { _folder: folder, path }
}

fn read(written: &Written) -> Result<Goldens> {
    Goldens::read(&written.path, MODEL, &support::settings())
}

/// Holds fakes, each with a fault, to `goldens`.
fn hold(goldens: &Goldens, fakes: &[(&str, &[&str])]) -> GoldenReport {
    let scratch = tempfile::tempdir().unwrap();
    let members = fakes.iter().map(|(name, args)| support::member(name, args)).collect();
    golden::check(goldens, &support::settings(), members, scratch.path(), &support::Blind).unwrap()
}

/// Every file below `folder`, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let inner = files(&entry.path()).into_iter();
            found.extend(inner.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn snapshot(name: &str, text: &str) {
    with_settings!({filters => vec![
        (r"in \d+\.\d s", "in 0.0 s"),
        (r"vectors.json: \d+ bytes", "vectors.json: 0 bytes"),
        (r": [^:\n]*\(os error \d+\)", ": REASON"),
        (r"(/|[A-Z]:\\)\S*[/\\]fake", "FOLDER/fake"),
    ]}, {
        assert_snapshot!(name.to_owned(), text);
    });
}

#[test]
fn the_same_answers_make_the_same_bytes() {
    let goldens = written();
    let before = files(&goldens.path);
    let text = |path: &str| String::from_utf8(before[path].clone()).unwrap();
    snapshot("header", &text("header.json"));
    snapshot("tokens", &text("none/tokens.json"));
    assert_eq!(before["none/text.llmzip"], b"FAKEsome text");
    let (log_probs, rest) = before["none/step.f64"].as_chunks::<8>();
    assert_eq!((log_probs.len(), rest.len()), (15, 0));
    let is_log_prob = |bytes: &[u8; 8]| (-16.0..0.0).contains(&f64::from_le_bytes(*bytes));
    assert!(log_probs.iter().all(is_log_prob));
    fs::write(goldens.path.join("stray"), "left by another version").unwrap();
    let summary = write_with(&goldens.path, &support::settings(), &mut support::start("writer", &[])).unwrap();
    assert_eq!(files(&goldens.path), before);
    assert_eq!(summary.files + 1, before.len());
    assert_eq!(fs::read_dir(goldens.path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_runner_that_does_not_answer_everything_writes_nothing() {
    let check = |fault: &str, code: ErrorCode, request: &str| {
        let goldens = written();
        let before = files(&goldens.path);
        let error = write_with(
            &goldens.path,
            &support::settings(),
            &mut support::start("writer", &["--fault", fault]),
        )
        .unwrap_err();
        assert_eq!(error.code, code, "{fault}: {error}");
        assert!(error.message.contains(request), "{fault}: {error}");
        assert_eq!(files(&goldens.path), before, "{fault}");
        assert_eq!(fs::read_dir(goldens.path.parent().unwrap()).unwrap().count(), 1);
    };
    check("refuses", ErrorCode::Integrity, "`load` of fake/none");
    check("lies-about-hash", ErrorCode::Integrity, "`load` of fake/none");
    check("dies", ErrorCode::Runner, "`logprobs prefill`");
    check("skips", ErrorCode::Unsupported, "`inspect`");
}

#[test]
fn a_machine_that_gives_the_same_holds() {
    let goldens = written();
    let report = hold(&read(&goldens).unwrap(), &[("left", &[]), ("right", &[])]);
    assert_eq!(report.report.exit_code(), 0);
    snapshot("holds", &table::render(&report, false));
    snapshot("holds.coloured", &table::render(&report, true));
}

#[test]
fn a_machine_that_gives_something_else_is_told_what() {
    let goldens = written();
    let report = hold(
        &read(&goldens).unwrap(),
        &[
            ("predictor", &["--fault", "wrong-coded"]),
            ("tokenizer", &["--fault", "wrong-token"]),
            ("reader", &["--fault", "wrong-bytes"]),
            ("later", &["--runtime-version", "2.0"]),
            ("skipper", &["--fault", "skips"]),
        ],
    );
    assert_eq!(report.report.exit_code(), 1);
    snapshot("diverged", &table::render(&report, false));
    let check = |fault: &str, code: u8| {
        let report = hold(&read(&goldens).unwrap(), &[("faulty", &["--fault", fault])]);
        assert_eq!(report.report.exit_code(), code, "{fault}");
    };
    check("refuses", 4);
    check("dies", 5);
    check("fails-to-read", 1);
}

/// Damages the goldens, and says in the header that the damaged files are right if `sealed`.
fn damage(written: &Written, path: &str, sealed: bool, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(written.path.join(path)).unwrap();
    change(&mut bytes);
    fs::write(written.path.join(path), &bytes).unwrap();
    if sealed {
        change_header(written, |header| {
            let files = header["files"].as_array_mut().unwrap();
            let file = files.iter_mut().find(|file| file["path"] == path).unwrap();
            file["sha256"] = json!(inputs::sha256(&bytes));
            file["bytes"] = json!(bytes.len());
        });
    }
}

fn change_header(written: &Written, change: impl Fn(&mut Value)) {
    let path = written.path.join("header.json");
    let mut header: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut header);
    fs::write(&path, serde_json::to_vec(&header).unwrap()).unwrap();
}

/// What is done to a file's bytes.
type Change = fn(&mut Vec<u8>);

const DAMAGES: [(&str, Change); 4] = [
    ("none/step.f64", |bytes| bytes[8 * 3 + 5] ^= 1),
    ("none/tokens.json", |bytes| bytes[2] = b'7'),
    ("none/text.llmzip", |bytes| bytes[7] ^= 1),
    ("none/inspect.json", |bytes| {
        let at = bytes.iter().position(|byte| *byte == b'6').unwrap();
        bytes[at] = b'7';
    }),
];

#[test]
fn a_damaged_file_is_never_taken_for_a_golden() {
    for (path, change) in DAMAGES {
        let goldens = written();
        damage(&goldens, path, false, change);
        let error = read(&goldens).unwrap_err();
        assert_eq!(error.code, ErrorCode::Integrity, "{path}: {error}");
        assert!(error.message.contains(path), "{path}: {error}");
        assert!(
            error.hint.contains("cargo run -- golden write --model fake"),
            "{path}: {error}"
        );
    }
}

#[test]
fn a_golden_that_says_something_else_fails_the_check() {
    let failing = ["log-probs step", "tokens", "container of text", "graph view"];
    for ((path, change), name) in DAMAGES.into_iter().zip(failing) {
        let goldens = written();
        damage(&goldens, path, true, change);
        let report = hold(&read(&goldens).unwrap(), &[("honest", &[])]);
        assert_eq!(report.report.exit_code(), 1, "{path}");
        let failed: Vec<_> = report.report.checks.iter().filter(|check| !check.ok).collect();
        assert_eq!(failed.len(), 1, "{path}: {failed:#?}");
        assert_eq!(failed[0].name, name, "{path}");
        let unread = report.report.round_trips.iter().filter(|trip| !trip.ok).count();
        assert_eq!(unread, usize::from(name == "container of text"), "{path}");
    }
}

fn unusable(change: impl Fn(&Written)) -> Error {
    let goldens = written();
    change(&goldens);
    read(&goldens).unwrap_err()
}

#[test]
fn goldens_that_cannot_be_used_say_why_and_what_to_do() {
    let mut text = String::new();
    let mut check = |what: &str, code: ErrorCode, error: Error| {
        assert_eq!(error.code, code, "{what}: {error}");
        text += &format!("== {what}\n{error}\n");
    };
    let remove = |path: &'static str| move |goldens: &Written| fs::remove_file(goldens.path.join(path)).unwrap();
    let header = |change: fn(&mut Value)| move |goldens: &Written| change_header(goldens, change);
    check(
        "none at all",
        ErrorCode::Setup,
        unusable(|goldens| fs::remove_dir_all(&goldens.path).unwrap()),
    );
    check("no header", ErrorCode::Integrity, unusable(remove("header.json")));
    check(
        "a header that is no header",
        ErrorCode::Integrity,
        unusable(|goldens| fs::write(goldens.path.join("header.json"), "{}").unwrap()),
    );
    check(
        "a missing file",
        ErrorCode::Integrity,
        unusable(remove("none/step.f64")),
    );
    check(
        "a file too many",
        ErrorCode::Integrity,
        unusable(|goldens| fs::write(goldens.path.join("none/old.f64"), "").unwrap()),
    );
    check(
        "another model",
        ErrorCode::Integrity,
        unusable(header(|header| {
            header["variants"][0]["asked"]["model_sha256"] = json!("c".repeat(64));
        })),
    );
    check(
        "other questions",
        ErrorCode::Integrity,
        unusable(header(|header| {
            header["variants"][0]["asked"]["eps"] = json!("1e-3");
            header["variants"][0]["asked"]["inputs"][0]["sha256"] = json!("d".repeat(64));
        })),
    );
    check(
        "another variant",
        ErrorCode::Integrity,
        unusable(header(|header| {
            header["variants"][0]["asked"]["name"] = json!("fake/other")
        })),
    );
    check(
        "a file elsewhere",
        ErrorCode::Integrity,
        unusable(header(|header| header["files"][0]["path"] = json!("../elsewhere"))),
    );
    check(
        "a form of its own",
        ErrorCode::Integrity,
        unusable(|goldens| damage(goldens, "none/tokens.json", true, |bytes| bytes[0] = b'{')),
    );
    snapshot("unusable", &text);
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What the command asks of the embedded model.
fn tiny_settings() -> Settings {
    let models = Models::of_manifest(&repository().join("models").join("manifest.toml")).unwrap();
    let target = |choice: ModelChoice| Target {
        name: format!("{}/{}", choice.name, choice.variant),
        model_dir: choice.model_dir,
        model_file: choice.model_file.into(),
        model_sha256: choice.model_sha256.unwrap().to_string(),
        tokenizer_sha256: choice.tokenizer_sha256.unwrap().to_string(),
        eps: choice.eps,
        start_token: choice.start_token,
        window: u32::try_from(choice.window).unwrap(),
        overlap: u32::try_from(choice.overlap).unwrap(),
    };
    let samples = repository().join("models").join("tiny").join("samples");
    let inputs = inputs::round_trip_inputs(&samples, false).unwrap();
    Settings {
        targets: models.variants("tiny").unwrap().into_iter().map(target).collect(),
        sequence: inputs::sequence(),
        inputs,
        classes: Classes::built_in().unwrap(),
        ..support::settings()
    }
}

#[test]
fn our_own_inference_writes_the_same_bytes_twice_and_refuses_another_model() {
    if !support::cli::has_runtime() {
        return;
    }
    let library = setup::find_onnxruntime(&Layout::at(repository())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny");
    // Enough to meet every operation, and little enough to be quick.
    let mut settings = tiny_settings();
    settings.sequence_tokens = Some(64);
    settings
        .inputs
        .retain(|input| ["special tokens", "mixed scripts"].contains(&input.name.as_str()));
    let mut rust = InProcessRunner::new("rust", Engine::OnnxRuntime(library));
    write_with(&path, &settings, &mut rust).unwrap();
    let before = files(&path);
    write_with(&path, &settings, &mut rust).unwrap();
    assert_eq!(files(&path), before);
    let scratch = tempfile::tempdir().unwrap();
    let goldens = Goldens::read(&path, MODEL, &settings).unwrap();
    let members = vec![llmzip::conform::Member::Ready(Box::new(rust))];
    let report = golden::check(&goldens, &settings, members, scratch.path(), &support::Blind).unwrap();
    assert_eq!(report.report.exit_code(), 0, "{}", table::render(&report, false));

    let mut other = settings;
    other.targets[1].model_sha256 = "0".repeat(64);
    let mut rust = InProcessRunner::new(
        "rust",
        Engine::OnnxRuntime(setup::find_onnxruntime(&Layout::at(repository())).unwrap()),
    );
    let error = write_with(&path, &other, &mut rust).unwrap_err();
    assert_eq!(error.code, ErrorCode::Integrity, "{error}");
    assert_eq!(files(&path), before);
}

#[test]
fn the_committed_goldens_answer_what_is_asked_now_and_are_small() {
    let folder = repository().join("golden").join("tiny");
    if let Err(error) = Goldens::read(&folder, "tiny", &tiny_settings()) {
        panic!("{error}");
    }
    let bytes: usize = files(&folder).values().map(Vec::len).sum();
    assert!(bytes < 400_000, "{bytes} bytes");
}

#[test]
fn the_command_says_what_it_does_and_what_is_wrong() {
    let project = tempfile::tempdir().unwrap();
    let models = project.path().join("models");
    fs::create_dir_all(models.join("tiny").join("samples")).unwrap();
    fs::create_dir_all(models.join("tiny").join("onnx")).unwrap();
    fs::write(models.join("tiny").join("onnx").join("model.onnx"), "no model").unwrap();
    for sample in ["prose-45k.txt", "mixed-10k.txt"] {
        fs::write(models.join("tiny").join("samples").join(sample), "a sample").unwrap();
    }
    let hash = "a".repeat(64);
    let manifest = format!(
        "version = 1\n[[model]]\nname = 'tiny'\nfolder = 'tiny'\nsource = ''\nlicence = ''\ntokenizer = 'tokenizer.json'\n\
         window = 512\noverlap = 128\nstart_token = 0\n[[model.variant]]\ndtype = 'q4'\nfile = 'onnx/model.onnx'\n\
         activation = 'float32'\neps = '5e-5'\n[[model.file]]\npath = 'onnx/model.onnx'\nsha256 = '{hash}'\n\
         [[model.file]]\npath = 'tokenizer.json'\nsha256 = '{hash}'\n"
    );
    fs::write(models.join("manifest.toml"), manifest).unwrap();
    fs::create_dir_all(project.path().join("golden").join("codec")).unwrap();
    let mut text = String::new();
    let mut check = |code: i32, args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_llmzip"))
            .args(args)
            .env("LLMZIP_ROOT", project.path())
            .output()
            .unwrap();
        let talk = [output.stdout, output.stderr].concat();
        let talk = String::from_utf8(talk).unwrap();
        let talk = talk
            .replace(&*project.path().to_string_lossy(), "PROJECT")
            .replace('\\', "/");
        text += &format!(
            "$ llmzip {}\n{talk}[{}]\n\n",
            args.join(" "),
            output.status.code().unwrap()
        );
        assert_eq!(output.status.code(), Some(code), "{args:?}: {talk}");
    };
    check(0, &["golden", "--help"]);
    check(0, &["golden", "check", "--help"]);
    check(0, &["golden", "write", "--help"]);
    check(3, &["golden", "check"]);
    check(2, &["golden", "check", "--model", "huge"]);
    check(2, &["golden", "write", "--runner", "perl"]);
    check(2, &["golden", "write", "--codec", "--runner", "rust"]);
    check(0, &["golden", "write", "--codec"]);
    snapshot("command", &text.replace("llmzip.exe", "llmzip"));
    let vectors = project.path().join("golden").join("codec").join("vectors.json");
    assert_eq!(fs::read_to_string(vectors).unwrap(), codec_vectors_text().unwrap());
}
