//! `models fetch` against servers that fail in every way: it ends in the right file or in a clear error, and a wrong file is never under the right name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use insta::{assert_snapshot, with_settings};
use llmzip::model::provenance::Hash;
use support::cli::{Ended, command, finish, names};
use support::server::{Server, Step};
use tempfile::TempDir;

/// The one file that has weights of the model below.
const GRAPH: &str = "onnx/model_q4f16.onnx";
const SOURCE: &str = "https://huggingface.co/owner/name/resolve/0123456789abcdef";

/// Long enough to come in many pieces, and no two parts of it alike.
fn right() -> Vec<u8> {
    (0..400_000_u32)
        .flat_map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(400_000)
        .collect()
}

/// A clone of the project with a manifest of one model and nothing else.
struct Clone {
    folder: TempDir,
}

impl Clone {
    /// `known` is what the manifest says of the graph: lines of TOML.
    fn new(known: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = format!(
            "version = 1\n\n[[model]]\nname = \"small\"\nfolder = \"small\"\nsource = \"{SOURCE}\"\n\
             revision = \"0123456789abcdef\"\nlicence = \"MIT\"\ntokenizer = \"tokenizer.json\"\nwindow = 512\n\
             overlap = 128\nstart_token = 0\n\n[[model.variant]]\ndtype = \"q4f16\"\nfile = \"{GRAPH}\"\n\
             activation = \"float16\"\neps = \"2e-2\"\n\n[[model.file]]\npath = \"{GRAPH}\"\n{known}"
        );
        std::fs::create_dir(folder.path().join("models")).unwrap();
        std::fs::write(folder.path().join("models/manifest.toml"), manifest).unwrap();
        Self { folder }
    }

    /// With the size and the SHA-256 of the right file.
    fn of_known() -> Self {
        let bytes = right();
        Self::new(&format!("bytes = {}\nsha256 = \"{}\"\n", bytes.len(), Hash::of(&bytes)))
    }

    fn graph(&self) -> PathBuf {
        self.folder.path().join("models/small").join(GRAPH)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.folder.path().join("models/small").join(format!("{GRAPH}{suffix}"))
    }

    fn manifest(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("models/manifest.toml")).unwrap()
    }

    fn write_manifest(&self, text: &str) {
        std::fs::write(self.folder.path().join("models/manifest.toml"), text).unwrap();
    }

    /// `models` with these words.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(&[&["models"], words].concat());
        command.env("LLMZIP_ROOT", self.folder.path());
        command.env("HF_HOME", self.folder.path().join("home"));
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        finish(self.command(words), b"")
    }

    /// Fetches from a mirror without waiting long.
    fn fetch_from(&self, server: &Server, more: &[&str]) -> Ended {
        let url = server.url();
        self.run(&[&["fetch", "small", "--mirror", &url, "--backoff", "0.001"], more].concat())
    }

    /// That no wrong file is there, under whatever circumstances; whether the right one is.
    #[track_caller]
    fn is_there(&self) -> bool {
        let there = std::fs::read(self.graph()).ok();
        assert!(
            there.as_ref().is_none_or(|bytes| *bytes == right()),
            "a wrong file has the right name"
        );
        there.is_some()
    }
}

fn serve(steps: &[Step]) -> Server {
    Server::start(&[(GRAPH, &right())], steps)
}

/// How a fetch must end.
enum End {
    /// With the right file, after so many requests.
    Right(usize),
    /// With this exit code and these words, after so many requests.
    Fails(i32, &'static str, usize),
}

/// Holds a fetch from a server of these steps to its end; two retries are allowed, or one of a server that stalls.
#[track_caller]
fn check(name: &str, steps: &[Step], end: &End) {
    let (clone, server) = (Clone::of_known(), serve(steps));
    let stalls = steps
        .iter()
        .any(|step| matches!(step, Step::Silent | Step::StallsAfter(_)));
    // Long where nothing stalls, so that a slow machine is no fault.
    let (retries, idle) = if stalls { ("1", "0.5") } else { ("2", "60") };
    let ended = clone.fetch_from(&server, &["--retries", retries, "--idle-timeout", idle]);
    let requests = match end {
        End::Right(requests) => {
            ended.check(0, "its SHA-256 is the manifest's");
            assert!(clone.is_there(), "{name}");
            assert_eq!(
                names(clone.graph().parent().unwrap()),
                ["model_q4f16.onnx"],
                "{name}: nothing else is left"
            );
            requests
        }
        End::Fails(code, words, requests) => {
            assert_eq!(ended.code, Some(*code), "{name}: {}", ended.stderr);
            assert!(
                ended.stderr.contains(words),
                "{name}: {words:?} is not in {}",
                ended.stderr
            );
            assert!(ended.stderr.contains("hint: "), "{name}: {}", ended.stderr);
            assert!(!clone.is_there(), "{name}");
            assert!(ended.stdout.is_empty(), "{name}");
            requests
        }
    };
    assert_eq!(server.seen().len(), *requests, "{name}: {}", ended.stderr);
}

#[test]
fn a_server_s_faults_end_in_the_right_file_or_a_clear_error() {
    use End::{Fails, Right};
    use Step::*;
    let to = |path: &str| Redirect(path.to_owned());
    // Redirects to nowhere in particular: a path of the same server.
    let again = format!("/{GRAPH}");
    let cases: &[(&str, &[Step], End)] = &[
        ("an honest server", &[Honest], Right(1)),
        ("one that sends chunks", &[Chunked], Right(1)),
        ("one that tells no length", &[Unframed(0)], Right(1)),
        ("a connection that drops once", &[DropsAfter(100_000), Honest], Right(2)),
        ("one that drops before any byte", &[DropsAfter(0), Honest], Right(2)),
        (
            "one that drops ever further on",
            &[DropsAfter(100_000), DropsAfter(100_000), Honest],
            Right(3),
        ),
        (
            "one that always drops at the same place",
            &[WholeDropsAfter(100_000)],
            Fails(3, "the connection ended after 100000 bytes", 3),
        ),
        (
            "one that always closes",
            &[Closes],
            Fails(3, "the server cannot be reached", 3),
        ),
        ("one that closes once", &[Closes, Honest], Right(2)),
        (
            "a part, then a server that ignores ranges",
            &[DropsAfter(100_000), IgnoresRange],
            Right(2),
        ),
        (
            "a part, then another part than asked for",
            &[DropsAfter(100_000), WrongPart, Honest],
            Right(3),
        ),
        (
            "a part, then no word of which part",
            &[DropsAfter(100_000), PartWithoutRange, Honest],
            Right(3),
        ),
        (
            "a part that nobody asked for",
            &[PartWithoutRange],
            Fails(3, "the server answers 206", 1),
        ),
        (
            "another version, told by its ETag",
            &[DropsAfter(100_000), Version("\"new\"")],
            Fails(4, "SHA-256", 2),
        ),
        (
            "a part of another version, despite the ETag",
            &[DropsAfter(100_000), VersionForced("\"new\""), Honest],
            Right(3),
        ),
        (
            "a part of a wrong file with the same ETag",
            &[DropsAfter(100_000), Wrong, Honest],
            Right(3),
        ),
        (
            "a range beyond the end",
            &[DropsAfter(100_000), Status(416, ""), Honest],
            Right(3),
        ),
        (
            "416 to what is no range",
            &[Status(416, "")],
            Fails(3, "the server answers 416", 1),
        ),
        (
            "a wrong file of the same length",
            &[Wrong],
            Fails(4, "has the SHA-256", 1),
        ),
        (
            "a longer file",
            &[WrongLength(400_001)],
            Fails(4, "has a file of 400001 bytes, it must have 400000", 1),
        ),
        (
            "a shorter file",
            &[WrongLength(7)],
            Fails(4, "has a file of 7 bytes, it must have 400000", 1),
        ),
        (
            "an empty file",
            &[WrongLength(0)],
            Fails(4, "has a file of 0 bytes, it must have 400000", 1),
        ),
        (
            "a length that is too great",
            &[Lies(10)],
            Fails(4, "has a file of 400010 bytes", 1),
        ),
        (
            "a length that is too small",
            &[Lies(-10)],
            Fails(4, "has a file of 399990 bytes", 1),
        ),
        (
            "more bytes than the file has, without a length",
            &[Unframed(1)],
            Fails(4, "has a file of more than 400000 bytes", 1),
        ),
        ("an HTML page", &[Page], Fails(4, "an HTML page", 1)),
        (
            "an HTML page in the place of a part",
            &[DropsAfter(100_000), Page],
            Fails(4, "an HTML page", 2),
        ),
        (
            "a packed file",
            &[Status(200, "Content-Encoding: gzip\r\n")],
            Fails(3, "packed (Content-Encoding: gzip)", 1),
        ),
        (
            "a packed part",
            &[
                DropsAfter(100_000),
                Status(206, "Content-Encoding: identity, br\r\nETag: \"br\"\r\n"),
            ],
            Fails(3, "packed (Content-Encoding: br)", 2),
        ),
        ("silence", &[Silent], Fails(3, "the server fell silent", 2)),
        (
            "silence in the middle",
            &[StallsAfter(100_000)],
            Fails(3, "the server fell silent", 2),
        ),
        ("silence that passes", &[StallsAfter(100_000), Honest], Right(2)),
        (
            "what is no HTTP",
            &[Garbage],
            Fails(3, "the server cannot be reached", 3),
        ),
        (
            "a head without end",
            &[EndlessHead],
            Fails(3, "the server cannot be reached", 3),
        ),
        ("401", &[Status(401, "")], Fails(3, "the server answers 401", 1)),
        ("403", &[Status(403, "")], Fails(3, "HF_TOKEN", 1)),
        ("404", &[Status(404, "")], Fails(3, "the server answers 404", 1)),
        ("429", &[Status(429, "")], Fails(3, "asked too often", 3)),
        (
            "429, and when to come again",
            &[Status(429, "Retry-After: 0\r\n"), Honest],
            Right(2),
        ),
        ("500", &[Status(500, "")], Fails(3, "the server answers 500", 3)),
        ("503 once", &[Status(503, ""), Honest], Right(2)),
        ("501", &[Status(501, "")], Fails(3, "the server answers 501", 1)),
        (
            "a status that is none of ours",
            &[Status(204, "")],
            Fails(3, "the server answers 204", 1),
        ),
        ("a redirect", &[to(&again), Honest], Right(2)),
        (
            "a redirect to a file beside it",
            &[to("model_q4f16.onnx"), Honest],
            Right(2),
        ),
        (
            "a redirect up and down again",
            &[to("../onnx/./model_q4f16.onnx?a=b"), Status(404, "")],
            Fails(3, "the server answers 404", 2),
        ),
        (
            "redirects in a circle",
            &[to(&again)],
            Fails(3, "redirects more than 8 times", 9),
        ),
        (
            "a redirect to a file of the machine",
            &[to("file:///etc/passwd")],
            Fails(3, "redirects to what is no address", 1),
        ),
        (
            "a redirect to nowhere",
            &[Status(302, "")],
            Fails(3, "redirects to nowhere", 1),
        ),
        (
            "a redirect with a body without end",
            &[EndlessRedirect(again.clone()), Honest],
            Right(2),
        ),
    ];
    for (name, steps, end) in cases {
        check(name, steps, end);
    }
}

#[test]
fn the_next_fetch_goes_on_where_the_last_one_ended() {
    let clone = Clone::of_known();
    let server = serve(&[Step::DropsAfter(100_000), Step::DropsAfter(50_000), Step::Honest]);
    for kept in [100_000, 150_000] {
        clone
            .fetch_from(&server, &["--retries", "0"])
            .check(3, "the connection ended");
        assert!(!clone.is_there());
        assert_eq!(std::fs::read(clone.beside(".partial")).unwrap(), right()[..kept]);
    }
    clone.fetch_from(&server, &["--retries", "0"]).check(0, "");
    assert!(clone.is_there());
    let ranges: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            (
                seen.header("Range").map(str::to_owned),
                seen.header("If-Range").map(str::to_owned),
            )
        })
        .collect();
    let part = |from: &str| (Some(format!("bytes={from}-")), Some("\"right\"".to_owned()));
    assert_eq!(ranges, [(None, None), part("100000"), part("150000")]);
}

#[test]
fn a_partial_file_that_is_nothing_right_does_no_harm() {
    let bytes = right();
    for (name, partial, etag) in [
        ("other bytes", vec![7; 1000], "\"right\""),
        ("as many other bytes as the file has", vec![7; bytes.len()], "\"right\""),
        ("more bytes than the file has", vec![7; bytes.len() + 1], "\"right\""),
        (
            "the beginning, and an ETag that steers",
            bytes[..1000].to_vec(),
            "\"x\"\r\nHost: elsewhere\r\n",
        ),
        ("the beginning, and a weak ETag", bytes[..1000].to_vec(), "W/\"right\""),
        ("the whole file", bytes.clone(), ""),
    ] {
        let (clone, server) = (Clone::of_known(), serve(&[Step::Honest]));
        std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
        std::fs::write(clone.beside(".partial"), partial).unwrap();
        std::fs::write(clone.beside(".partial.etag"), etag).unwrap();
        clone.fetch_from(&server, &["--retries", "1"]).check(0, "");
        assert!(clone.is_there(), "{name}");
        assert_eq!(names(clone.graph().parent().unwrap()), ["model_q4f16.onnx"], "{name}");
    }
}

#[test]
fn a_wrong_file_under_the_name_is_replaced_and_a_right_one_kept() {
    let clone = Clone::of_known();
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    let wrong: Vec<u8> = right().iter().map(|byte| !byte).collect();
    std::fs::write(clone.graph(), wrong).unwrap();
    let server = serve(&[Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "it is replaced");
    assert!(clone.is_there());
    clone.fetch_from(&server, &[]).check(0, "is there");
    assert_eq!(server.seen().len(), 1, "nothing is asked for twice");
}

#[test]
fn no_second_fetch_runs_beside_another() {
    let (clone, server) = (Clone::of_known(), serve(&[Step::Honest]));
    let lock = std::fs::File::create(clone.folder.path().join("models/.fetch.lock")).unwrap();
    lock.lock().unwrap();
    clone.fetch_from(&server, &[]).check(3, "another process is fetching");
    drop(lock);
    clone.fetch_from(&server, &[]).check(0, "");
}

/// A fetch from what `HF_ENDPOINT` names, with a token.
fn fetch_from_hub(clone: &Clone, endpoint: &str) -> Ended {
    let mut command = clone.command(&["fetch", "small", "--backoff", "0.001", "--retries", "1"]);
    command.env("HF_ENDPOINT", endpoint).env("HF_TOKEN", "hf_secret");
    let ended = finish(command, b"");
    let told = format!("{}{}", ended.stderr, String::from_utf8_lossy(&ended.stdout));
    assert!(!told.contains("hf_secret"), "{told}");
    ended
}

#[test]
fn the_token_goes_to_the_endpoint_and_to_nobody_else() {
    let token = |server: &Server| -> Vec<Option<String>> {
        let seen = server.seen();
        seen.iter()
            .map(|seen| seen.header("Authorization").map(str::to_owned))
            .collect()
    };
    let bearer = || Some("Bearer hf_secret".to_owned());

    let (clone, elsewhere) = (Clone::of_known(), serve(&[Step::Honest]));
    let hub = serve(&[Step::Redirect(format!("{}/cdn/{GRAPH}", elsewhere.other_url()))]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert!(clone.is_there());
    assert_eq!(
        hub.seen()[0].path,
        format!("/owner/name/resolve/0123456789abcdef/{GRAPH}")
    );
    assert_eq!((token(&hub), token(&elsewhere)), (vec![bearer()], vec![None]));

    // Another port of the same machine is another server too.
    let (clone, elsewhere) = (Clone::of_known(), serve(&[Step::Honest]));
    let hub = serve(&[Step::Redirect(format!("{}/cdn/{GRAPH}", elsewhere.url()))]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert_eq!((token(&hub), token(&elsewhere)), (vec![bearer()], vec![None]));

    // Within the hub it is kept, and it comes back with no detour.
    let clone = Clone::of_known();
    let hub = serve(&[Step::Redirect(format!("/moved/{GRAPH}")), Step::Honest]);
    fetch_from_hub(&clone, &hub.url()).check(0, "");
    assert_eq!(token(&hub), [bearer(), bearer()]);

    // A mirror is not the hub, and neither is told who is where in messages.
    let (clone, mirror) = (Clone::of_known(), serve(&[Step::Status(403, "")]));
    let mut command = clone.command(&["fetch", "small", "--mirror", &mirror.url()]);
    command.env("HF_TOKEN", "hf_secret").env("HF_ENDPOINT", mirror.url());
    finish(command, b"").check(3, "the server answers 403");
    assert_eq!(token(&mirror), [None]);
}

#[test]
fn a_token_that_is_none_is_refused_and_not_shown() {
    let clone = Clone::of_known();
    let mut command = clone.command(&["fetch", "small"]);
    command.env("HF_TOKEN", "secret\u{7f}");
    let ended = finish(command, b"");
    ended.check(2, "error[usage]: HF_TOKEN holds no token");
    assert!(!ended.stderr.contains("secret"));
}

/// What a fetch that was broken off leaves.
fn begin(clone: &Clone) {
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    std::fs::write(clone.beside(".partial"), &right()[..1000]).unwrap();
    std::fs::write(clone.beside(".partial.etag"), "\"right\"").unwrap();
}

/// The folder where the hub's programs keep the model's snapshot.
fn snapshot(clone: &Clone) -> PathBuf {
    let models = clone.folder.path().join("home/hub/models--owner--name");
    let folder = models.join("snapshots/0123456789abcdef/onnx");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_hub_s_cache_is_used_when_it_is_right() {
    let offline = |clone: &Clone| {
        let mut command = clone.command(&["fetch", "small"]);
        command.env("HF_HUB_OFFLINE", "1");
        finish(command, b"")
    };
    let clone = Clone::of_known();
    offline(&clone).check(3, "HF_HUB_OFFLINE forbids");
    // As the hub's programs lay it out: a link to a blob.
    let folder = snapshot(&clone);
    let cached = folder.join("model_q4f16.onnx");
    #[cfg(unix)]
    {
        let blob = folder.join("../../../blobs/0123");
        std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
        std::fs::write(&blob, right()).unwrap();
        std::os::unix::fs::symlink("../../../blobs/0123", &cached).unwrap();
    }
    #[cfg(not(unix))]
    std::fs::write(&cached, right()).unwrap();
    begin(&clone);
    offline(&clone).check(0, "taken from the hub's cache");
    assert!(clone.is_there());
    assert!(!clone.graph().is_symlink(), "the cache may go");
    assert_eq!(names(clone.graph().parent().unwrap()), ["model_q4f16.onnx"]);

    let clone = Clone::of_known();
    std::fs::write(snapshot(&clone).join("model_q4f16.onnx"), vec![7; right().len()]).unwrap();
    offline(&clone).check(3, "not taken from the hub's cache");
    assert!(!clone.is_there());
    let server = serve(&[Step::Honest]);
    clone.fetch_from(&server, &[]).check(0, "fetched");
    assert!(clone.is_there());
}

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

#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_fetch_leaves_what_the_next_goes_on_with() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};
    use support::cli::wait;

    for (steps, kept) in [(Step::StallsAfter(100_000), 100_000), (Step::Silent, 0)] {
        let (clone, server) = (Clone::of_known(), serve(&[steps, Step::Honest]));
        let mut command = clone.command(&["fetch", "small", "--mirror", &server.url()]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // How long the test waits is no measure of how soon it must be.
        let started = Instant::now();
        let length = || clone.beside(".partial").metadata().map_or(0, |metadata| metadata.len());
        while length() < kept || server.seen().is_empty() {
            assert!(started.elapsed() < Duration::from_secs(120), "nothing came");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        wait(child).check(130, "the same command goes on where this one ended");
        assert!(!clone.is_there());
        clone.fetch_from(&server, &[]).check(0, "");
        assert!(clone.is_there());
        let range = (kept > 0).then(|| format!("bytes={kept}-"));
        assert_eq!(server.seen()[1].header("Range"), range.as_deref());
    }
}

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

#[test]
fn what_cannot_be_fetched_is_refused_before_anyone_is_asked() {
    let check = |from: &str, to: &str, words: &[&str], code: i32, said: &str| {
        let (clone, hub) = (Clone::of_known(), serve(&[Step::Honest]));
        assert!(clone.manifest().contains(from));
        let manifest = clone.manifest().replace(from, to);
        std::fs::write(clone.folder.path().join("models/manifest.toml"), manifest).unwrap();
        let mut command = clone.command(&[&["fetch"], words].concat());
        command.env("HF_ENDPOINT", hub.url());
        finish(command, b"").check(code, said);
        assert!(hub.seen().is_empty() && !clone.is_there());
    };
    check("", "", &["large"], 2, "its models are: small");
    check("", "", &["small", "--variant", "q8"], 2, "its variants are: q4f16");
    check(
        "",
        "",
        &["small", "--file", "readme"],
        2,
        "its files are: onnx/model_q4f16.onnx",
    );
    check(
        "",
        "",
        &["small", "--mirror", "hub"],
        2,
        "--mirror is not the http or https address",
    );
    check(
        "",
        "",
        &["small", "--idle-timeout", "0"],
        2,
        "--idle-timeout 0 is no length of time",
    );
    check(SOURCE, "made here", &["small"], 3, "its source is: made here");
    check(
        "revision = \"0123456789abcdef\"",
        "",
        &["small"],
        3,
        "names no revision",
    );
    check(
        "revision = \"0123456789abcdef\"",
        "revision = \"9\"",
        &["small"],
        3,
        "names no revision",
    );
    check("path = \"onnx", "path = \"../onnx", &["small"], 3, "cannot be used");
    check(
        "folder = \"small\"",
        "folder = \"../small\"",
        &["small"],
        3,
        "cannot be used",
    );
}

/// Holds a command's words to a snapshot, whatever the server's port is.
#[track_caller]
fn told(name: &str, clone: &Clone, ended: &Ended) {
    let filters = vec![
        (r"127\.0\.0\.1:\d+", "[SERVER]"),
        ("[0-9a-f]{64}", "[SHA256]"),
        (r"\\", "/"),
    ];
    with_settings!({filters => filters}, {
        assert_snapshot!(name, ended.told(clone.folder.path()));
    });
}

#[test]
fn what_is_told_of_models() {
    let clone = Clone::of_known();
    told("list.missing", &clone, &clone.run(&["list"]));
    told("path.missing", &clone, &clone.run(&["path", "small"]));
    told("verify.missing", &clone, &clone.run(&["verify", "small"]));
    told("inspect.missing", &clone, &{
        let mut command = command(&["inspect", "--model", "small"]);
        command.env("LLMZIP_ROOT", clone.folder.path());
        finish(command, b"")
    });
    told("conform.missing", &clone, &{
        let mut command = command(&["conform", "--model", "small"]);
        command.env("LLMZIP_ROOT", clone.folder.path());
        finish(command, b"")
    });
    told(
        "fetch.dropped-once",
        &clone,
        &clone.fetch_from(&serve(&[Step::DropsAfter(100_000), Step::Honest]), &[]),
    );
    told("fetch.again", &clone, &clone.fetch_from(&serve(&[Step::Honest]), &[]));
    told(
        "fetch.quiet",
        &clone,
        &clone.fetch_from(&serve(&[Step::Honest]), &["--quiet"]),
    );
    told("list.present", &clone, &clone.run(&["list"]));
    told("list.json", &clone, &clone.run(&["list", "--json"]));
    told("path.present", &clone, &clone.run(&["path", "small"]));
    told("verify.right", &clone, &clone.run(&["verify"]));
    std::fs::write(clone.graph(), vec![7; right().len()]).unwrap();
    told("verify.damaged", &clone, &clone.run(&["verify"]));
    std::fs::write(clone.graph(), b"7").unwrap();
    told("list.damaged", &clone, &clone.run(&["list"]));
}

#[test]
fn what_is_told_of_faults() {
    let check = |name: &str, step: Step| {
        let (clone, server) = (Clone::of_known(), serve(&[step]));
        let ended = clone.fetch_from(&server, &["--retries", "1"]);
        told(&format!("fault.{name}"), &clone, &ended);
    };
    check("page", Step::Page);
    check("wrong", Step::Wrong);
    check("length", Step::WrongLength(7));
    check("dropped", Step::WholeDropsAfter(100_000));
    check("401", Step::Status(401, ""));
    check("404", Step::Status(404, ""));
    check("429", Step::Status(429, ""));
    check("503", Step::Status(503, ""));
    check("circle", Step::Redirect(format!("/{GRAPH}")));
    let clone = Clone::new("");
    told("fault.unknown", &clone, &clone.run(&["fetch", "small"]));
}

/// Whatever a server does in whatever order, and however often it is tried: no wrong file is under the right name.
mod any_server {
    use llmzip::models::fetch::{FetchOptions, fetch};
    use llmzip::models::hub::Hub;
    use llmzip::models::{Observer, Patience, Selection};
    use proptest::prelude::*;

    use super::*;

    struct Silent;

    impl Observer for Silent {
        fn begins(&self, _: &str, _: Option<u64>) {}
        fn reached(&self, _: u64) {}
        fn ended(&self) {}
        fn says(&self, _: &str) {}
    }

    /// Everything but what stalls.
    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Honest),
            Just(Step::IgnoresRange),
            (0..400_000_usize).prop_map(Step::DropsAfter),
            (0..400_000_usize).prop_map(Step::WholeDropsAfter),
            Just(Step::Closes),
            Just(Step::Garbage),
            (-1000..1000_i64).prop_map(Step::Lies),
            Just(Step::Chunked),
            (0..3_usize).prop_map(Step::Unframed),
            Just(Step::Wrong),
            (0..500_000_usize).prop_map(Step::WrongLength),
            Just(Step::Version("\"new\"")),
            Just(Step::VersionForced("\"new\"")),
            Just(Step::WrongPart),
            Just(Step::PartWithoutRange),
            Just(Step::Page),
            prop::sample::select(vec![204, 206, 304, 400, 401, 404, 416, 429, 500, 503])
                .prop_map(|status| Step::Status(status, "")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn leaves_no_wrong_file(steps in prop::collection::vec(step(), 1..8)) {
            let (clone, server) = (Clone::of_known(), serve(&steps));
            let options = FetchOptions {
                selection: Selection::default(),
                accept_unknown: false,
                mirror: Some(server.url()),
                hub: Hub::of(&|_| None, None).unwrap(),
                patience: Patience { retries: 3, backoff: std::time::Duration::from_micros(1), ..Patience::default() },
            };
            let manifest = clone.folder.path().join("models/manifest.toml");
            for _ in 0..3 {
                let is_fetched = fetch(&manifest, "small", &options, &Silent).is_ok();
                prop_assert_eq!(clone.is_there(), is_fetched);
                if is_fetched {
                    break;
                }
            }
            // What the faults left does not stand in the way of an honest server.
            let honest = serve(&[Step::Honest]);
            let options = FetchOptions { mirror: Some(honest.url()), ..options };
            let fetched = fetch(&manifest, "small", &options, &Silent);
            prop_assert!(fetched.is_ok(), "{:?}", fetched);
            prop_assert!(clone.is_there());
        }
    }
}
