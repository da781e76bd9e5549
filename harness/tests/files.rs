//! Compressing and decompressing real files with the embedded model: round trips, pipes, damage, places that cannot be written
//! to. A test without ONNX Runtime says so and passes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;

use llmzip::ErrorCode;
use llmzip::compressor::{CompressOptions, Lanes, ModelIdentity, compress, decompress};
use llmzip::container::reader::ContainerReader;
use llmzip::model::context::ContextPolicy;
use llmzip::model::loaded::{LoadOptions, LoadedModel};
use llmzip::model::provenance::Models;
use llmzip::runner::protocol::InspectResult;
use llmzip::setup::{self, Layout};
use support::cli::{Ended, command, finish, has_runtime, names, root, run, text, write};
use tempfile::TempDir;

/// Counting, text of several scripts, and bytes that are no text.
fn plain() -> Vec<u8> {
    let counting: Vec<String> = (1..=60).map(|number| number.to_string()).collect();
    let mut bytes = (counting.join("\n") + "\r\nna\u{ef}ve \u{1f642}\0").into_bytes();
    bytes.extend([0xFF, 0xC0, 0x80]);
    bytes
}

/// A folder with `plain` and its container `packed`.
fn packed(args: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path().join("plain"), &plain());
    let output = text(&folder.path().join("packed"));
    run(&[&["compress", &input, "-o", &output], args].concat()).check(0, " tokens coded");
    folder
}

fn decompress_file(folder: &Path, name: &str, output: &str) -> Ended {
    run(&["decompress", &text(&folder.join(name)), "-o", output])
}

#[track_caller]
fn check_round_trip(args: &[&str]) {
    let folder = packed(args);
    let output = text(&folder.path().join("again"));
    decompress_file(folder.path(), "packed", &output).check(0, "SHA-256");
    assert!(std::fs::read(output).unwrap() == plain());
    assert_eq!(names(folder.path()), ["again", "packed", "plain"]);
}

#[test]
fn a_file_comes_back() {
    if !has_runtime() {
        return;
    }
    check_round_trip(&[]);
    check_round_trip(&["--variant", "q4", "--lanes", "3", "--eps", "0.001"]);
    check_round_trip(&["--frame-bytes", "64", "--threads", "2", "--verify-sha"]);
    check_round_trip(&["--model", &text(&root().join("models").join("tiny"))]);
}

#[test]
#[cfg(unix)]
fn the_runtime_leaves_no_files_of_its_own() {
    if !has_runtime() {
        return;
    }
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let input = write(folder.path().join("plain"), &plain());
    let mut compress = command(&["compress", &input, "-o", &text(&folder.path().join("packed"))]);
    compress
        .env_remove("ORT_DISABLE_TELEMETRY")
        .env("TMPDIR", temporary.path());
    finish(compress, &[]).check(0, " tokens coded");
    assert!(names(temporary.path()).is_empty());
}

#[test]
fn pipes_carry_nothing_but_the_data() {
    if !has_runtime() {
        return;
    }
    let packed = finish(command(&["compress", "-", "-o", "-"]), &plain());
    packed.check(0, " tokens coded");
    let mut decompress = command(&["--quiet", "decompress", "-", "-o", "-"]);
    // The manifest's models are searched, whichever one is the default.
    decompress.env_remove("LLMZIP_MODEL");
    let again = finish(decompress, &packed.stdout);
    again.check(0, "");
    assert_eq!(again.stderr, "");
    assert!(again.stdout == plain());
}

#[test]
fn a_file_that_is_there_is_replaced_when_asked() {
    if !has_runtime() {
        return;
    }
    let folder = packed(&[]);
    let there = write(folder.path().join("there"), b"precious");
    decompress_file(folder.path(), "packed", &there).check(2, "is already there");
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
    run(&["decompress", &text(&folder.path().join("packed")), "-o", &there, "-f"]).check(0, "");
    assert!(std::fs::read(&there).unwrap() == plain());
}

#[test]
fn eps_0_is_for_the_exact_variant_alone() {
    if !has_runtime() {
        return;
    }
    check_round_trip(&["--variant", "exact", "--lanes", "3", "--eps", "0"]);
    let folder = tempfile::tempdir().unwrap();
    let input = write(folder.path().join("plain"), &plain());
    let output = text(&folder.path().join("packed"));
    let ended = run(&["compress", &input, "-o", &output, "--variant", "q4", "--eps", "0"]);
    ended.check(
        1,
        "error[unsupported]: eps 0 relies on logits that are the same bits everywhere, but the graph does not say",
    );
    assert!(
        ended
            .stderr
            .contains("use the model's variant exact, or an eps above 0")
    );
    assert_eq!(names(folder.path()), ["plain"], "nothing is left");
}

#[test]
fn inspect_says_the_same_in_text_and_json() {
    if !has_runtime() {
        return;
    }
    for (variant, cache, exact) in [
        (
            "exact",
            "uint8",
            "yes (the graph says so (llmzip.exact 1) and has only exact ops)",
        ),
        ("q4f16", "float16", "no (the graph does not say that it is exact)"),
        ("q4", "float32", "no (the graph does not say that it is exact)"),
    ] {
        let json = run(&["inspect", "--variant", variant, "--json"]);
        json.check(0, "");
        let view: InspectResult = serde_json::from_slice(&json.stdout).unwrap();
        let ended = run(&["inspect", "--variant", variant]);
        let shown = String::from_utf8(ended.stdout).unwrap();
        assert!(shown.starts_with(&format!(
            "model: tiny, onnx/model_{variant}.onnx\nprovider: cpu\nbatch: dynamic ("
        )));
        assert!(shown.contains(&format!("\nexact: {exact}\n")), "{shown}");
        for tensor in view.inputs.iter().chain(&view.outputs) {
            assert!(shown.contains(&format!("\n  {} ", tensor.name)), "{shown}");
        }
        for (op, count) in &view.ops {
            assert!(shown.contains(&format!("\n  {count:6}  {op}\n")), "{shown}");
        }
        assert!(view.inputs.iter().any(|input| input.element == cache));
    }
}

/// The embedded model and a container of its own, in memory.
fn tiny() -> (LoadedModel, ModelIdentity, Vec<u8>) {
    let library = setup::find_onnxruntime(&Layout::at(root())).unwrap();
    let choice = Models::find(root()).unwrap().choose("tiny", None).unwrap();
    let mut model = LoadedModel::load(&LoadOptions::new(&library, &choice)).unwrap();
    let identity = ModelIdentity {
        model_sha256: model.model_sha256,
        tokenizer_sha256: model.tokenizer_sha256,
    };
    let options = CompressOptions {
        model: identity,
        lanes: Lanes::Fixed(2),
        eps: choice.eps.parse().unwrap(),
        context: ContextPolicy {
            start_token: choice.start_token,
            window: choice.window,
            overlap: choice.overlap,
        },
        frame_bytes: CompressOptions::DEFAULT_FRAME_BYTES,
        fingerprint: model.fingerprint.container_fingerprint(),
    };
    let mut container = Vec::new();
    let summary = compress(
        plain().as_slice(),
        &mut container,
        model.session.as_mut(),
        &model.tokenizer,
        &options,
        &mut |_| Ok(()),
    )
    .unwrap();
    assert!(summary.tokens > 0, "something is coded");
    (model, identity, container)
}

#[test]
fn no_damage_gives_wrong_bytes() {
    if !has_runtime() {
        return;
    }
    let (mut model, identity, container) = tiny();
    let mut check = |damaged: &[u8], what: &dyn std::fmt::Display| {
        let mut found = Vec::new();
        let result = ContainerReader::open(damaged).and_then(|reader| {
            let source = model.session.as_mut();
            decompress(reader, &mut found, source, &model.tokenizer, &identity, &mut |_| Ok(()))
        });
        let error = result.expect_err(&what.to_string());
        assert_eq!(error.code, ErrorCode::Format, "{what}: {error}");
        assert!(plain().starts_with(&found), "{what}: only verified bytes come out");
    };
    for place in 0..container.len() {
        let mut damaged = container.clone();
        damaged[place] ^= 1 << (place % 8);
        check(&damaged, &format_args!("a bit of byte {place}"));
        check(&container[..place], &format_args!("cut at {place}"));
    }
    check(&[container.as_slice(), b"x"].concat(), &"a byte too many");
}

#[test]
fn a_damaged_file_leaves_nothing() {
    if !has_runtime() {
        return;
    }
    let folder = packed(&["--frame-bytes", "64"]);
    let container = std::fs::read(folder.path().join("packed")).unwrap();
    let output = text(&folder.path().join("out"));
    for place in [0, 5, 90, container.len() / 2, container.len() - 40, container.len() - 1] {
        let mut damaged = container.clone();
        damaged[place] ^= 0x04;
        write(folder.path().join("damaged"), &damaged);
        decompress_file(folder.path(), "damaged", &output).check(1, "error[format]: ");
        write(folder.path().join("damaged"), &container[..place]);
        decompress_file(folder.path(), "damaged", &output).check(1, "error[format]: ");
        assert_eq!(names(folder.path()), ["damaged", "packed", "plain"], "{place}");
    }
}

/// A clone in which a file of the embedded model was changed.
fn changed_clone(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> TempDir {
    let clone = tempfile::tempdir().unwrap();
    let (from, to) = (root().join("models"), clone.path().join("models"));
    std::fs::create_dir_all(to.join("tiny").join("onnx")).unwrap();
    for name in [
        "manifest.toml",
        "tiny/config.json",
        "tiny/tokenizer.json",
        "tiny/onnx/model_q4.onnx",
    ] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let path = to.join(file);
    let changed = change(std::fs::read(&path).unwrap());
    write(path, &changed);
    clone
}

/// `inspect` in a changed clone.
fn inspect_in(clone: &TempDir, args: &[&str]) -> Ended {
    let mut command = command(&[&["inspect", "--variant", "q4"], args].concat());
    let library = setup::find_onnxruntime(&Layout::at(root())).unwrap();
    command.env("LLMZIP_ROOT", clone.path()).env("LLMZIP_ORT_LIB", library);
    finish(command, b"")
}

#[test]
fn files_that_are_not_the_manifest_s_are_refused() {
    if !has_runtime() {
        return;
    }
    let flip = |mut bytes: Vec<u8>| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    let wrong_model = changed_clone("tiny/onnx/model_q4.onnx", flip);
    inspect_in(&wrong_model, &[]).check(4, "model_q4.onnx has the SHA-256 ");
    let space = |bytes: Vec<u8>| [bytes, b" ".to_vec()].concat();
    let other_tokenizer = changed_clone("tiny/tokenizer.json", space);
    inspect_in(&other_tokenizer, &[]).check(4, "tokenizer.json has the SHA-256 ");
    let told = inspect_in(&other_tokenizer, &["--verify-sha=false", "--quiet"]);
    told.check(0, "warning: --verify-sha=false: ");
}

#[test]
fn a_tokenizer_of_another_vocabulary_is_refused() {
    if !has_runtime() {
        return;
    }
    let smaller = |bytes: Vec<u8>| {
        let mut config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let size = config["vocab_size"].as_u64().unwrap();
        config["vocab_size"] = (size - 1).into();
        config.to_string().into_bytes()
    };
    let clone = changed_clone("tiny/config.json", smaller);
    inspect_in(&clone, &[]).check(4, "config.json has the SHA-256 ");
    let ended = inspect_in(&clone, &["--verify-sha=false"]);
    ended.check(4, "error[vocabulary]: ");
}

/// Where every write fails as on a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    if !has_runtime() {
        return;
    }
    let folder = packed(&[]);
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let input = text(&folder.path().join("plain"));
    let packed = text(&folder.path().join("packed"));
    for args in [
        &["compress", &input, "-o", "-"][..],
        &["decompress", &packed, "-o", "-"],
        &["inspect"],
    ] {
        let child = command(args)
            .stdout(full())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        support::cli::wait(child).check(1, "error[io]: cannot write ");
    }
    run(&["decompress", &packed, "-o", "/dev/full"]).check(1, "error[io]: cannot write ");
}

/// A limit on the length of files fails a write in its middle, as a disk does that fills up.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_leaves_nothing() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Noise is stored, so that the container is as long as the input.
    let noise: Vec<u8> = (0..40_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 21) as u8 | 0x80)
        .collect();
    let input = write(folder.path().join("plain"), &noise);
    let output = text(&folder.path().join("packed"));
    let mut limited = std::process::Command::new("sh");
    limited
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 4; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_llmzip"),
        ])
        .args(["compress", &input, "-o", &output])
        .current_dir(root());
    finish(limited, b"").check(1, "error[io]: cannot write ");
    assert_eq!(names(folder.path()), ["plain"]);
}
