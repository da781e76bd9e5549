//! What is refused before anyone is asked, and what the user is told.

use crate::clone::{Clone, GRAPH, SOURCE, right, serve, told};
use crate::support::cli::{command, finish};
use crate::support::server::Step;

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
