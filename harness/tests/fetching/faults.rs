//! What a server does wrong ends in the right file or in a clear error.

use crate::clone::{Clone, GRAPH, serve};
use crate::support::cli::names;
use crate::support::server::Step;

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
