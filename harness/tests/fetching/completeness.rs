//! What there is of a model, and whether it runs.

use llmzip::model::provenance::Hash;

use crate::clone::{Clone, GRAPH, right};
use crate::support;
use crate::support::cli::{command, finish, names};
use crate::support::server::{Server, Step};

#[test]
fn the_data_of_a_variant_is_what_the_manifest_says() {
    let clone = Clone::of_known();
    let graph = format!("file = \"{GRAPH}\"\n");
    let with_data = clone
        .manifest()
        .replace(&graph, &format!("{graph}data = [\"onnx/weights.bin\"]\n"));
    clone.write_manifest(&with_data);
    let (data, bytes) = (b"weights", right());
    let server = Server::start(&[(GRAPH, &bytes), ("onnx/weights.bin", data)], &[Step::Honest]);
    clone
        .fetch_from(&server, &[])
        .check(3, "needs onnx/weights.bin, of which the manifest has no entry");
    assert!(server.seen().is_empty() && !clone.is_there());
    let hash = Hash::of(data);
    let entry = |path: &str| format!("\n[[model.file]]\npath = \"{path}\"\nbytes = 7\nsha256 = \"{hash}\"\n");
    // A name that begins as the graph's does not make it the graph's.
    let other = entry(&format!("{GRAPH}_data"));
    clone.write_manifest(&format!("{with_data}{}{other}", entry("onnx/weights.bin")));
    clone.fetch_from(&server, &[]).check(0, "");
    assert_eq!(
        names(clone.graph().parent().unwrap()),
        ["model_q4f16.onnx", "weights.bin"]
    );
    for words in [&["verify"][..], &["verify", "small"]] {
        clone.run(words).check(0, "");
    }
    std::fs::remove_file(clone.graph().with_file_name("weights.bin")).unwrap();
    for words in [&["verify"][..], &["verify", "small"]] {
        clone.run(words).check(3, "no variant of small is complete");
    }
}

#[test]
fn a_model_without_variants_is_judged_by_its_files() {
    let clone = Clone::of_known();
    let (head, rest) = clone
        .manifest()
        .split_once("[[model.variant]]")
        .map(|(head, rest)| (head.to_owned(), rest.to_owned()))
        .unwrap();
    let files = rest.split_once("[[model.file]]").unwrap().1;
    let more = format!(
        "[[model.file]]\npath = \"config.json\"\nbytes = 3\nsha256 = \"{}\"\n",
        Hash::of(b"abc")
    );
    clone.write_manifest(&format!("{head}[[model.file]]{files}\n{more}"));
    let bytes = right();
    let server = Server::start(&[(GRAPH, &bytes), ("config.json", b"abc")], &[Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "");
    let listed = |word: &str| {
        let ended = clone.run(&["list"]);
        let text = String::from_utf8(ended.stdout).unwrap();
        assert!(text.contains("small") && text.contains(word), "{text}");
    };
    listed("present");
    for (remove, code, said) in [(None, 0, ""), (Some("config.json"), 3, "a file of small is missing")] {
        if let Some(path) = remove {
            std::fs::remove_file(clone.folder.path().join("models/small").join(path)).unwrap();
        }
        for words in [&["verify"][..], &["verify", "small"]] {
            clone.run(words).check(code, said);
        }
    }
    listed("missing");
}

#[test]
fn verify_finds_every_damage() {
    let clone = Clone::of_known();
    clone
        .run(&["verify", "small"])
        .check(3, "there is no file of the model small");
    clone.run(&["verify"]).check(0, "");
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    let check = |bytes: &[u8], code: i32, line: &str| {
        std::fs::write(clone.graph(), bytes).unwrap();
        for words in [&["verify"][..], &["verify", "small"]] {
            let ended = clone.run(words);
            ended.check(code, "");
            assert_eq!(String::from_utf8(ended.stdout).unwrap(), line);
        }
    };
    let mut flipped = right();
    flipped[399_999] ^= 1;
    check(&right(), 0, &format!("ok       small/{GRAPH}\n"));
    check(&right()[1..], 4, &format!("damaged  small/{GRAPH}: another size\n"));
    check(
        &flipped,
        4,
        &format!("damaged  small/{GRAPH}: SHA-256 {}\n", Hash::of(&flipped)),
    );
    let clone = Clone::new("");
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    std::fs::write(clone.graph(), b"abc").unwrap();
    let ended = clone.run(&["verify", "small"]);
    ended.check(0, "");
    assert!(String::from_utf8(ended.stdout).unwrap().starts_with("unknown  small/"));
}

#[test]
fn a_model_that_was_fetched_runs() {
    if !support::cli::has_runtime() {
        return;
    }
    let layout = llmzip::setup::Layout::at(support::cli::root());
    let tiny = support::cli::root().join("models/tiny");
    let paths = ["config.json", "tokenizer.json", "onnx/model_q4.onnx"];
    let files: Vec<(&str, Vec<u8>)> = paths
        .iter()
        .map(|path| (*path, std::fs::read(tiny.join(path)).unwrap()))
        .collect();
    let clone = Clone::of_known();
    let mut manifest = clone
        .manifest()
        .split("[[model.file]]")
        .next()
        .unwrap()
        .replace(GRAPH, paths[2]);
    for (path, bytes) in &files {
        let (length, hash) = (bytes.len(), Hash::of(bytes));
        manifest += &format!("[[model.file]]\npath = \"{path}\"\nbytes = {length}\nsha256 = \"{hash}\"\n\n");
    }
    std::fs::write(clone.folder.path().join("models/manifest.toml"), manifest).unwrap();
    let inspect = || {
        let mut command = command(&["inspect", "--model", "small"]);
        command.env("LLMZIP_ROOT", clone.folder.path());
        command.env("LLMZIP_ORT_LIB", llmzip::setup::find_onnxruntime(&layout).unwrap());
        finish(command, b"")
    };
    inspect().check(3, "`cargo run -- models fetch small --variant q4f16` gets it");
    let served: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
    let server = Server::start(&served, &[Step::DropsAfter(50_000), Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "");
    inspect().check(0, "");
    // A file that is needed with every variant is no less needed than the graph.
    std::fs::remove_file(clone.folder.path().join("models/small/tokenizer.json")).unwrap();
    clone
        .run(&["verify", "small"])
        .check(3, "no variant of small is complete");
    clone.run(&["verify"]).check(3, "no variant of small is complete");
}
