//! Files whose SHA-256 the manifest does not know.

use llmzip::model::provenance::Hash;

use crate::clone::{Clone, GRAPH, right, serve};
use crate::support::cli::names;
use crate::support::server::Step;

#[test]
fn what_is_unknown_is_taken_only_when_that_is_accepted_and_known_from_then_on() {
    let hash = Hash::of(&right());
    for known in ["sha256 = \"unknown\"\n", "bytes = 400000\nsha256 = \"unknown\"\n", ""] {
        let clone = Clone::new(known);
        let server = serve(&[Step::DropsAfter(100_000), Step::Honest]);
        clone.fetch_from(&server, &[]).check(4, "knows no SHA-256");
        assert!(server.seen().is_empty() && !clone.is_there(), "nothing is asked for");
        clone
            .fetch_from(&server, &["--accept-unknown"])
            .check(0, &format!("now recorded in {}", clone.folder.path().display()));
        assert!(clone.is_there());
        assert!(
            clone.manifest().contains(&format!("sha256 = \"{hash}\"")),
            "{}",
            clone.manifest()
        );
        assert!(clone.manifest().contains("bytes = 400000"));
        clone.fetch_from(&server, &[]).check(0, "is there");
        // From now on another file is refused.
        std::fs::remove_file(clone.graph()).unwrap();
        let other = serve(&[Step::Wrong]);
        clone
            .fetch_from(&other, &["--accept-unknown"])
            .check(4, "has the SHA-256");
        assert!(!clone.is_there());
    }
}

#[test]
fn an_unknown_file_that_is_there_is_recorded_and_not_fetched_again() {
    let (clone, server) = (Clone::new("sha256 = \"unknown\"\n"), serve(&[Step::Wrong]));
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    std::fs::write(clone.graph(), right()).unwrap();
    clone.fetch_from(&server, &[]).check(4, "knows no SHA-256");
    clone
        .fetch_from(&server, &["--accept-unknown"])
        .check(0, "now recorded");
    assert!(clone.is_there() && server.seen().is_empty());
    assert!(clone.manifest().contains(&Hash::of(&right()).to_string()));
}

#[test]
fn an_unknown_file_is_never_made_of_two() {
    // Its server tells no ETag, so nothing says that the halves belong together.
    let clone = Clone::new("sha256 = \"unknown\"\n");
    let server = serve(&[Step::WholeDropsAfter(100_000), Step::Honest]);
    clone.fetch_from(&server, &["--accept-unknown"]).check(0, "");
    assert!(clone.is_there());
    assert_eq!(server.seen()[1].header("Range"), None);
    // Another version is told by its ETag, also by a server that does not heed the one it is given.
    for other in [Step::Version("\"new\""), Step::VersionForced("\"new\"")] {
        let clone = Clone::new("sha256 = \"unknown\"\n");
        let server = serve(&[Step::DropsAfter(100_000), other]);
        clone.fetch_from(&server, &["--accept-unknown"]).check(0, "");
        let whole: Vec<u8> = right().iter().map(|byte| byte ^ 0x55).collect();
        assert_eq!(std::fs::read(clone.graph()).unwrap(), whole);
    }
}

#[test]
fn a_packed_answer_is_never_taken_for_the_file() {
    for encoding in [
        "Content-Encoding: gzip\r\n",
        "Content-Encoding: identity\r\nContent-Encoding: X-Mine\r\n",
        "Content-Encoding: \u{e9}\r\n",
    ] {
        let clone = Clone::new("sha256 = \"unknown\"\n");
        let before = clone.manifest();
        let server = serve(&[Step::Status(200, encoding)]);
        clone
            .fetch_from(&server, &["--accept-unknown"])
            .check(3, "the server sends the file packed");
        assert!(names(clone.graph().parent().unwrap()).is_empty(), "nothing is left");
        assert_eq!(clone.manifest(), before);
        assert_eq!(server.seen()[0].header("Accept-Encoding"), Some("identity"));
    }
}

#[test]
fn of_an_unknown_file_only_what_has_the_same_etag_is_used() {
    let bytes = right();
    let part = "Content-Range: bytes 1000-399999/400000\r\n";
    for (name, partial, etag, steps, ranges) in [
        (
            "a whole file of no ETag",
            vec![7; bytes.len()],
            None,
            vec![Step::Honest],
            vec![None],
        ),
        (
            "a whole file of a weak ETag",
            vec![7; bytes.len()],
            Some("W/\"right\""),
            vec![Step::Honest],
            vec![None],
        ),
        (
            "a part, and an answer of no ETag",
            bytes[..1000].to_vec(),
            Some("\"right\""),
            vec![Step::Status(206, part), Step::Honest],
            vec![Some("bytes=1000-"), None],
        ),
        (
            "a part, and an answer of the same ETag",
            bytes[..1000].to_vec(),
            Some("\"right\""),
            vec![Step::Honest],
            vec![Some("bytes=1000-")],
        ),
        (
            "a whole file of an ETag",
            bytes.clone(),
            Some("\"right\""),
            vec![Step::Honest],
            vec![],
        ),
    ] {
        let (clone, server) = (Clone::new("bytes = 400000\nsha256 = \"unknown\"\n"), serve(&steps));
        std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
        std::fs::write(clone.beside(".partial"), partial).unwrap();
        if let Some(etag) = etag {
            std::fs::write(clone.beside(".partial.etag"), etag).unwrap();
        }
        clone
            .fetch_from(&server, &["--accept-unknown"])
            .check(0, "now recorded");
        assert!(clone.is_there(), "{name}");
        let seen = server.seen();
        let asked: Vec<_> = seen.iter().map(|seen| seen.header("Range")).collect();
        assert_eq!(asked, ranges, "{name}");
    }
}

#[test]
fn no_file_is_taken_whose_hash_cannot_be_recorded() {
    let clone = Clone::new("");
    let entry = format!("[[model.file]]\npath = \"{GRAPH}\"\n");
    let known = Hash::of(b"abc");
    let files = format!(
        "file = [{{ path = 'a', bytes = 3, sha256 = '{known}' }}, {{ path = '{GRAPH}' }}]\n\n[[model.variant]]"
    );
    let inline = clone
        .manifest()
        .replace(&entry, "")
        .replace("[[model.variant]]", &files);
    clone.write_manifest(&inline);
    let from = clone.folder.path().join("from");
    std::fs::create_dir_all(from.join("onnx")).unwrap();
    std::fs::write(from.join("a"), "abc").unwrap();
    std::fs::write(from.join(GRAPH), right()).unwrap();
    let server = serve(&[Step::Honest]);
    for ended in [
        clone.run(&["import", "small", from.to_str().unwrap(), "--accept-unknown"]),
        clone.fetch_from(&server, &["--accept-unknown"]),
    ] {
        ended.check(3, "cannot be recorded");
        assert!(ended.stderr.contains("[[model.file]]"), "{}", ended.stderr);
        assert!(server.seen().is_empty() && !clone.folder.path().join("models/small").exists());
    }
    assert_eq!(clone.manifest(), inline);
}
