//! The comparison of tokenizers: over fake runners with deliberate faults, and over the real ones with the embedded tokenizer and, where
//! it is there, SmolLM2's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Command;

use llmzip::alignment::known::KnownDifference;
use llmzip::alignment::{self, Answer, Findings, Settings};
use llmzip::conform::inputs::sha256;
use llmzip::setup::{Layout, layout::venv_executable};
use llmzip::{ErrorCode, Result};
use support::cli;

/// Enough for every kind of text in a moment.
const CASES: usize = 50;

fn run(faults: &[(&str, &str)], known: Vec<KnownDifference>) -> Result<Findings> {
    let members = faults
        .iter()
        .map(|(name, fault)| support::member(name, &["--fault", fault]))
        .collect();
    let settings = Settings {
        target: support::settings().targets.remove(0),
        cases: CASES,
        seed: 1,
        known,
    };
    let scratch = tempfile::tempdir().unwrap();
    alignment::run(&settings, members, scratch.path(), &|_, _| {})
}

fn next_line_is_known(text: &str) -> KnownDifference {
    KnownDifference {
        tokenizer_sha256: "b".repeat(64),
        runner: "other".to_owned(),
        text: text.to_owned(),
        reason: "it is old".to_owned(),
    }
}

#[test]
fn honest_runners_agree() {
    let found = run(&[("one", "none"), ("other", "none")], Vec::new()).unwrap();
    assert!(found.held());
    assert_eq!(found.runners, ["one", "other"]);
    assert!(found.texts > CASES && found.characters > 0x4_0000);
    assert_eq!((found.differences.len(), found.lossy), (0, 0));
}

#[test]
fn a_difference_is_made_as_small_as_it_can_be() {
    let found = run(&[("one", "none"), ("other", "misreads-next-line")], Vec::new()).unwrap();
    assert!(!found.held());
    let [difference] = found.differences.as_slice() else {
        panic!("{:?}", found.differences);
    };
    assert_eq!(
        (difference.runner.as_str(), difference.text.as_str()),
        ("other", "\u{85}")
    );
    assert!(difference.count > 1);
    let ids = |answer: &Answer| match answer {
        Answer::Read(reading) => reading.ids.clone(),
        Answer::Refused(code) => panic!("{code:?}"),
    };
    assert_eq!(ids(&difference.expected), [0xc2, 0x85]);
    assert_eq!(ids(&difference.found), [0xc3, 0x85]);
}

#[test]
fn a_known_difference_must_go_on() {
    let faulty = [("one", "none"), ("other", "misreads-next-line")];
    let found = run(&faulty, vec![next_line_is_known("\u{85}")]).unwrap();
    assert!(found.held(), "{found:?}");
    assert_eq!(found.differences[0].reason.as_deref(), Some("it is old"));
    let found = run(
        &[("one", "none"), ("other", "none")],
        vec![next_line_is_known("\u{85}")],
    )
    .unwrap();
    assert!(!found.held());
    assert_eq!(found.outdated, [("other".to_owned(), "\u{85}".to_owned())]);
}

#[test]
fn what_does_not_come_back_of_tokens_must_come_back_of_containers() {
    let found = run(&[("one", "forgets-bell"), ("other", "forgets-bell")], Vec::new()).unwrap();
    assert!(found.held(), "{found:?}");
    assert!(found.lossy > 1);
    assert_eq!(found.lossy_examples, ["\u{7}"]);
    let found = run(&[("one", "forgets-bell"), ("other", "loses-bell")], Vec::new()).unwrap();
    assert!(!found.held());
    assert_eq!(found.lost_by, ["other of one", "other of other"]);
}

#[test]
fn who_cannot_be_compared_is_an_error() {
    let check = |faults: &[(&str, &str)], code: ErrorCode| {
        assert_eq!(run(faults, Vec::new()).unwrap_err().code, code, "{faults:?}");
    };
    check(&[("one", "none")], ErrorCode::Usage);
    check(&[("one", "none"), ("other", "lies-about-hash")], ErrorCode::Integrity);
    check(&[("one", "none"), ("other", "has-no-load")], ErrorCode::Runner);
    check(&[("one", "none"), ("other", "nonsense")], ErrorCode::Runner);
}

fn check_real(args: &[&str], says: &str) {
    let ended = cli::run(&[&["tokenizers", "--quiet"], args].concat());
    let text = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.code, Some(0), "{text}{}", ended.stderr);
    for part in ["read by rust, python, node", "pass: 0 differences, 0 known\n", says] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn the_real_runners_read_all_texts_alike() {
    if cli::has_environments() {
        check_real(&[], "tiny/exact: ");
    }
}

/// The smallest model that a tokenizer of 49,152 tokens can belong to; the graph is not what is looked at.
const MAKE_CHECKPOINT: &str = "
import sys
from pathlib import Path
from quantize.llama import Sizes, write_checkpoint
write_checkpoint(Path(sys.argv[1]), Sizes(vocab=49152, layers=1))
";

#[test]
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn smollm2s_tokenizer_is_read_alike_where_it_is_there() {
    let tokenizer = cli::root().parent().unwrap().join("shared/smollm2/tokenizer.json");
    if !tokenizer.is_file() {
        // No clone has it, so that nothing is missing there.
        eprintln!("left out: {} is not there", tokenizer.display());
        return;
    }
    if !cli::has_environments() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("smollm2");
    fs::create_dir_all(&folder).unwrap();
    let py_runner = cli::root().join("py-runner");
    let path = std::env::join_paths([py_runner.join("src"), py_runner.join("tests")]).unwrap();
    let layout = Layout::at(cli::root());
    let made = Command::new(venv_executable(&layout.virtual_env(), "python"))
        .args(["-c", MAKE_CHECKPOINT, folder.to_str().unwrap()])
        .env("PYTHONPATH", path)
        .status()
        .unwrap();
    assert!(made.success());
    fs::copy(&tokenizer, folder.join("tokenizer.json")).unwrap();
    let graph = cli::run(&["quantize", "--exact", folder.to_str().unwrap(), "--quiet"]);
    assert_eq!(graph.code, Some(0), "{}", graph.stderr);
    let hash = |name: &str| sha256(&fs::read(folder.join(name)).unwrap());
    let entry = format!(
        "version = 1\n\n[[model]]\nname = \"smollm2\"\nfolder = \"smollm2\"\nsource = \"a test\"\nlicence = \"none\"\n\
         tokenizer = \"tokenizer.json\"\nwindow = 40\noverlap = 8\nstart_token = 0\n\n{}\n\
         [[model.file]]\npath = \"config.json\"\nsha256 = \"{}\"\n\n[[model.file]]\npath = \"tokenizer.json\"\nsha256 = \"{}\"\n",
        String::from_utf8(graph.stdout).unwrap(),
        hash("config.json"),
        hash("tokenizer.json"),
    );
    fs::write(scratch.path().join("manifest.toml"), entry).unwrap();
    // Its vocabulary lacks the tokens of some bytes.
    let lossy = "each of these came back from every runner's container by every runner";
    check_real(&["--model", folder.to_str().unwrap()], lossy);
}
