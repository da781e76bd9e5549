//! The comparison of tokenizers: over fake runners with deliberate faults, and over the real ones with the embedded tokenizer and, where
//! it is there, SmolLM2's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Command;

use insta::assert_snapshot;
use llmzip::alignment::known::KnownDifference;
use llmzip::alignment::{self, Answer, Decoded, Findings, MOST_EXAMINED, Settings};
use llmzip::conform::inputs::sha256;
use llmzip::setup::{Layout, layout::venv_executable};
use llmzip::{ErrorCode, Result};
use support::cli::{self, Ended};

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
    alignment::run(&settings, members, scratch.path(), &|_, _, _| {})
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
    assert_eq!((found.differences.len(), found.lossy, found.refused), (0, 0, 0));
    let ids = &found.ids;
    assert_eq!((ids.singles, ids.pairs), (256, CASES));
    assert_eq!((ids.differences.len(), ids.unshown, ids.refused), (0, 0, 0));
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
fn what_one_refuses_is_a_difference_and_what_all_refuse_is_listed() {
    let check = |one: &str, other: &str, differs: Option<[Option<ErrorCode>; 2]>, refused: Option<ErrorCode>| {
        let found = run(&[("one", one), ("other", other)], Vec::new()).unwrap();
        assert_eq!(found.held(), differs.is_none(), "{found:?}");
        let code = |answer: &Answer| match answer {
            Answer::Read(_) => None,
            Answer::Refused(code) => Some(*code),
        };
        let told: Vec<_> = found.differences.iter().collect();
        assert_eq!(told.len(), usize::from(differs.is_some()), "{told:?}");
        for difference in told {
            assert_eq!(difference.text, "\u{85}");
            assert_eq!(Some([code(&difference.expected), code(&difference.found)]), differs);
        }
        assert_eq!(found.refused > 1, refused.is_some(), "{found:?}");
        let examples: Vec<_> = refused.iter().map(|&code| ("\u{85}".to_owned(), code)).collect();
        assert_eq!(found.refused_examples, examples);
    };
    let (usage, format) = (Some(ErrorCode::Usage), Some(ErrorCode::Format));
    check("refuses-next-line", "refuses-next-line", None, usage);
    check("none", "refuses-next-line", Some([None, usage]), None);
    check("refuses-next-line", "none", Some([usage, None]), None);
    check("denies-next-line", "refuses-next-line", Some([format, usage]), format);
}

#[test]
fn of_too_many_differences_the_smallest_are_kept() {
    let found = run(&[("one", "none"), ("other", "misreads-much")], Vec::new()).unwrap();
    let told: Vec<_> = found
        .differences
        .iter()
        .map(|each| (each.text.as_str(), each.count))
        .collect();
    // Pages of Unicode come before this short text, and are more than are examined.
    assert_eq!(told, [("№5", 1), ("a".repeat(16).as_str(), MOST_EXAMINED - 1)]);
    assert!(found.unexamined > 1_000 && !found.held());
}

#[test]
fn ids_that_no_text_gives_are_compared_too() {
    let found = run(&[("one", "none"), ("other", "misdecodes255")], Vec::new()).unwrap();
    assert!(!found.held() && found.differences.is_empty());
    let [difference] = found.ids.differences.as_slice() else {
        panic!("{:?}", found.ids);
    };
    assert_eq!(
        (difference.runner.as_str(), difference.ids.as_slice()),
        ("other", [255].as_slice())
    );
    assert_eq!(difference.expected, Decoded::Text("\u{fffd}".to_owned()));
    assert_eq!(difference.found, Decoded::Text("\u{fffd}!".to_owned()));

    let found = run(&[("one", "has-gap"), ("other", "has-gap")], Vec::new()).unwrap();
    assert!(found.ids.differences.is_empty());
    let gap: Vec<Vec<u32>> = (250..256).map(|id| vec![id]).collect();
    assert_eq!((found.ids.refused, found.ids.refused_examples), (6, gap));

    let found = run(&[("one", "has-gap"), ("other", "none")], Vec::new()).unwrap();
    let ids: Vec<&[u32]> = found.ids.differences.iter().map(|each| each.ids.as_slice()).collect();
    assert_eq!(
        ids[..6],
        [[250], [251], [252], [253], [254], [255]].map(|id: [u32; 1]| id.to_vec())
    );
    assert_eq!(found.ids.differences[0].expected, Decoded::Refused(ErrorCode::Usage));
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
    check(&[("one", "none"), ("other", "huge-tokenizer")], ErrorCode::Runner);
}

/// The command over two fake runners.
fn command(faults: [&str; 2]) -> Ended {
    let program = support::fake_runner().to_str().unwrap().replace('\\', "/");
    let [one, other] = ["one", "other"].map(|name| format!("{name}='{program}' --fault "));
    let [one, other] = [one + faults[0], other + faults[1]];
    cli::run(&[
        "tokenizers",
        "--only",
        "one,other",
        "--runner",
        &one,
        "--runner",
        &other,
        "--cases",
        "50",
    ])
}

#[test]
fn what_is_told() {
    let check = |name: &str, faults: [&str; 2]| {
        let scratch = tempfile::tempdir().unwrap();
        assert_snapshot!(name, command(faults).told(scratch.path()));
    };
    check("agree", ["none", "none"]);
    check("differ", ["none", "misreads-next-line"]);
    check("differ-much", ["none", "misreads-much"]);
    check("one-refuses", ["none", "refuses-next-line"]);
    check("all-refuse", ["refuses-next-line", "refuses-next-line"]);
    check("forget", ["forgets-bell", "loses-bell"]);
    check("ids", ["none", "misdecodes255"]);
    check("gap", ["has-gap", "has-gap"]);
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
