use std::fs;

use super::*;
use crate::model::graph::wire::{bytes, integer};

/// An ONNX file with a weight of four bytes in each of these files, behind `offset` bytes.
fn naming(files: &[&str], offset: u64) -> Vec<u8> {
    let entry = |key: &str, value: &str| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat());
    let initializer = |name: &&str| {
        let place = [
            entry("location", name),
            entry("offset", &offset.to_string()),
            entry("length", "4"),
        ];
        bytes(5, &[place.concat(), integer(14, 1)].concat())
    };
    bytes(7, &files.iter().flat_map(initializer).collect::<Vec<u8>>())
}

/// Reads a model that names the files `b` and `a`, after a change to its folder.
fn read(expected: Option<Hash>, change: &dyn Fn(&Path)) -> Result<ModelFiles> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, naming(&["b", "a"], 2)).unwrap();
    fs::write(folder.path().join("a"), "of the a").unwrap();
    fs::write(folder.path().join("b"), "of b..").unwrap();
    change(folder.path());
    ModelFiles::read(&path, expected)
}

/// The list that FORMAT.md describes, written out.
fn identity() -> Hash {
    let hash = |bytes: &[u8]| Hash::of(bytes);
    let onnx = hash(&naming(&["b", "a"], 2));
    let list = format!("files\n{onnx}\n{}  a\n{}  b\n", hash(b"of the a"), hash(b"of b.."));
    Hash::of(list.as_bytes())
}

#[test]
fn one_hash_covers_all_files_and_the_order_is_that_of_their_names() {
    for expected in [None, Some(identity())] {
        let files = read(expected, &|_| ()).unwrap();
        assert_eq!(files.sha256, identity());
        let data: Vec<_> = files
            .data
            .iter()
            .map(|file| (file.name.as_str(), &*file.bytes))
            .collect();
        assert_eq!(data, [("a", &b"of the a"[..]), ("b", &b"of b.."[..])]);
    }
}

#[test]
fn a_model_that_is_one_file_has_the_hash_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for content in [naming(&[], 0), b"no ONNX file".to_vec()] {
        fs::write(&path, &content).unwrap();
        let files = ModelFiles::read(&path, Some(Hash::of(&content))).unwrap();
        assert_eq!((files.sha256, files.data.len()), (Hash::of(&content), 0));
        assert_eq!(ModelFiles::of_one_file(content).sha256, files.sha256);
    }
}

#[test]
fn files_that_are_others_are_refused() {
    let check = |code: ErrorCode, expected: Option<Hash>, change: &dyn Fn(&Path)| {
        let error = read(expected, change).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!error.hint.is_empty(), "{error}");
        error.to_string()
    };
    let write =
        |name: &'static str, content: &'static str| move |folder: &Path| fs::write(folder.join(name), content).unwrap();
    let message = check(ErrorCode::Integrity, Some(identity()), &write("a", "of the A"));
    assert!(message.contains(&format!("a {}", Hash::of(b"of the A"))), "{message}");
    check(ErrorCode::Integrity, Some(identity()), &write("b", "of b..."));
    // The hash of the ONNX file alone is not enough.
    check(ErrorCode::Integrity, Some(Hash::of(&naming(&["b", "a"], 2))), &|_| ());
    check(ErrorCode::Integrity, Some(identity()), &|folder| {
        fs::write(folder.join("model.onnx"), naming(&["a"], 2)).unwrap();
    });
    check(ErrorCode::Setup, Some(identity()), &|folder| {
        fs::remove_file(folder.join("b")).unwrap();
    });
    let message = check(ErrorCode::Model, None, &write("b", "of b."));
    assert!(
        message.contains("b has 5 bytes, but a weight ends at byte 6"),
        "{message}"
    );
}

#[test]
fn weights_that_are_not_in_the_files_are_refused() {
    let check = |onnx: &[u8], files: &ModelFiles, expected: Option<ErrorCode>| {
        let facts = GraphFacts::parse(onnx).unwrap();
        assert_eq!(files.check(&facts).err().map(|error| error.code), expected);
    };
    let onnx = naming(&["b", "a"], 2);
    let files = read(None, &|_| ()).unwrap();
    check(&onnx, &files, None);
    check(
        &onnx,
        &ModelFiles::of_one_file(onnx.clone()),
        Some(ErrorCode::Unsupported),
    );
    check(&naming(&["a", "c"], 2), &files, Some(ErrorCode::Unsupported));
    let constant = bytes(7, &bytes(1, &bytes(5, &bytes(5, &integer(14, 1)))));
    check(
        &constant,
        &ModelFiles::of_one_file(constant.clone()),
        Some(ErrorCode::Unsupported),
    );
    let exact = bytes(14, &[bytes(1, METADATA_KEY.as_bytes()), bytes(2, b"1")].concat());
    check(&[onnx, exact].concat(), &files, Some(ErrorCode::Unsupported));
}
