//! Files that come from a folder.

use llmzip::model::provenance::Hash;

use crate::clone::{Clone, GRAPH, SOURCE, begin, right, told};
use crate::support::cli::names;

#[test]
fn a_folder_is_imported_when_its_files_are_right() {
    let put = |clone: &Clone, path: &str, bytes: &[u8]| {
        let path = clone.folder.path().join("from").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let import = |clone: &Clone, more: &[&str]| {
        let from = clone.folder.path().join("from");
        clone.run(&[&["import", "small", from.to_str().unwrap()], more].concat())
    };
    for path in [GRAPH, "model_q4f16.onnx"] {
        let clone = Clone::of_known();
        import(&clone, &[]).check(2, "there is no folder");
        put(&clone, "readme", b"");
        import(&clone, &[]).check(3, "has no file of small");
        put(&clone, path, b"version https://git-lfs.github.com/spec/v1\n");
        import(&clone, &[]).check(4, "git lfs pull");
        put(&clone, path, &vec![7; right().len()]);
        import(&clone, &[]).check(4, "has the SHA-256");
        assert!(!clone.is_there());
        assert!(names(clone.graph().parent().unwrap()).is_empty(), "nothing is left");
        put(&clone, path, &right());
        begin(&clone);
        import(&clone, &[]).check(0, "taken, 400000 bytes");
        assert!(clone.is_there());
        assert_eq!(names(clone.graph().parent().unwrap()), ["model_q4f16.onnx"]);
        let own = clone.folder.path().join("models/small");
        clone
            .run(&["import", "small", own.to_str().unwrap()])
            .check(2, "own folder");
        assert!(clone.is_there());
    }
    let clone = Clone::new("sha256 = \"unknown\"\n");
    put(&clone, GRAPH, &right());
    import(&clone, &[]).check(3, "left out");
    import(&clone, &["--accept-unknown"]).check(0, "now recorded");
    assert!(clone.is_there() && clone.manifest().contains(&Hash::of(&right()).to_string()));
}

#[test]
fn an_import_goes_on_after_a_wrong_file_and_names_every_one() {
    let clone = Clone::of_known();
    let hash = Hash::of(b"abc");
    let more: String = ["a", "b", "c"]
        .iter()
        .map(|name| format!("\n[[model.file]]\npath = \"{name}.json\"\nbytes = 3\nsha256 = \"{hash}\"\n"))
        .collect();
    let (head, graph) = clone
        .manifest()
        .split_once("[[model.file]]")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    // The graph is the last, behind all that is wrong.
    clone.write_manifest(&format!("{head}{more}\n[[model.file]]{graph}"));
    let from = clone.folder.path().join("from");
    std::fs::create_dir_all(from.join("onnx")).unwrap();
    for (name, bytes) in [
        ("a.json", &b"abd"[..]),
        ("b.json", b"abc"),
        ("c.json", b"version https://git-lfs"),
        (GRAPH, &right()),
    ] {
        std::fs::write(from.join(name), bytes).unwrap();
    }
    let ended = clone.run(&["import", "small", from.to_str().unwrap(), "--quiet"]);
    ended.check(4, "2 files are not the manifest's");
    for part in [
        "a.json has the SHA-256",
        "c.json has 23 bytes",
        "git lfs pull",
        "damaged or another one",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(ended.stdout.is_empty() && clone.is_there());
    assert_eq!(names(&clone.folder.path().join("models/small")), ["b.json", "onnx"]);
}

#[test]
fn an_import_says_what_the_default_variant_still_lacks() {
    let entry = |path: &str, known: &str| format!("\n[[model.file]]\npath = \"{path}\"\n{known}");
    let known = format!("bytes = 3\nsha256 = \"{}\"\n", Hash::of(b"abc"));
    // Not of the default variant, so that nobody asks for it.
    let other = entry("onnx/model_q8.onnx", &known);
    let check = |name: &str, more: &str, change: [&str; 2], given: &[(&str, &[u8])]| {
        let clone = Clone::of_known();
        clone.write_manifest(&format!(
            "{}{other}{more}",
            clone.manifest().replace(change[0], change[1])
        ));
        let from = clone.folder.path().join("from");
        std::fs::create_dir_all(from.join("onnx")).unwrap();
        for (path, bytes) in given {
            std::fs::write(from.join(path), bytes).unwrap();
        }
        let ended = clone.run(&["import", "small", from.to_str().unwrap()]);
        told(&format!("import.{name}"), &clone, &ended);
    };
    let (config, tokenizer) = (entry("config.json", &known), entry("tokenizer.json", &known));
    let small = format!("{config}{tokenizer}");
    let (graph, same) = (right(), ["", ""]);
    check("whole", &config, same, &[(GRAPH, &graph), ("config.json", b"abc")]);
    check("lacks-one", &small, same, &[(GRAPH, &graph), ("config.json", b"abc")]);
    check(
        "lacks-the-graph",
        &small,
        same,
        &[("onnx/model_q8.onnx", b"abc"), ("config.json", b"abc")],
    );
    check("wrong-one", &small, same, &[(GRAPH, &graph), ("config.json", b"abd")]);
    let unknown = format!("{config}{}", entry("tokenizer.json", ""));
    check(
        "lacks-unknown",
        &unknown,
        same,
        &[(GRAPH, &graph), ("config.json", b"abc")],
    );
    check("no-source", &small, [SOURCE, "made here"], &[(GRAPH, &graph)]);
    let data = format!("file = \"{GRAPH}\"\ndata = [\"onnx/weights.bin\"]\n");
    check(
        "no-entry",
        &config,
        [&format!("file = \"{GRAPH}\"\n"), &data],
        &[(GRAPH, &graph)],
    );
}
