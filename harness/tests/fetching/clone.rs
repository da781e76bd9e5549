//! A clone of the project with one small model to fetch, servers that have it, and snapshots of what is told.

use std::path::PathBuf;
use std::process::Command;

use insta::{assert_snapshot, with_settings};
use llmzip::model::provenance::Hash;
use tempfile::TempDir;

use crate::support::cli::{Ended, command, finish};
use crate::support::server::{Server, Step};

/// The one file that has weights of the model below.
pub const GRAPH: &str = "onnx/model_q4f16.onnx";

pub const SOURCE: &str = "https://huggingface.co/owner/name/resolve/0123456789abcdef";

/// Long enough to come in many pieces, and no two parts of it alike.
pub fn right() -> Vec<u8> {
    (0..400_000_u32)
        .flat_map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(400_000)
        .collect()
}

/// A clone of the project with a manifest of one model and nothing else.
pub struct Clone {
    pub folder: TempDir,
}

impl Clone {
    /// `known` is what the manifest says of the graph: lines of TOML.
    pub fn new(known: &str) -> Self {
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
    pub fn of_known() -> Self {
        let bytes = right();
        Self::new(&format!("bytes = {}\nsha256 = \"{}\"\n", bytes.len(), Hash::of(&bytes)))
    }

    pub fn graph(&self) -> PathBuf {
        self.folder.path().join("models/small").join(GRAPH)
    }

    pub fn beside(&self, suffix: &str) -> PathBuf {
        self.folder.path().join("models/small").join(format!("{GRAPH}{suffix}"))
    }

    pub fn manifest(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("models/manifest.toml")).unwrap()
    }

    pub fn write_manifest(&self, text: &str) {
        std::fs::write(self.folder.path().join("models/manifest.toml"), text).unwrap();
    }

    /// `models` with these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = command(&[&["models"], words].concat());
        command.env("LLMZIP_ROOT", self.folder.path());
        command.env("HF_HOME", self.folder.path().join("home"));
        command
    }

    pub fn run(&self, words: &[&str]) -> Ended {
        finish(self.command(words), b"")
    }

    /// Fetches from a mirror without waiting long.
    pub fn fetch_from(&self, server: &Server, more: &[&str]) -> Ended {
        let url = server.url();
        self.run(&[&["fetch", "small", "--mirror", &url, "--backoff", "0.001"], more].concat())
    }

    /// That no wrong file is there, under whatever circumstances; whether the right one is.
    #[track_caller]
    pub fn is_there(&self) -> bool {
        let there = std::fs::read(self.graph()).ok();
        assert!(
            there.as_ref().is_none_or(|bytes| *bytes == right()),
            "a wrong file has the right name"
        );
        there.is_some()
    }
}

pub fn serve(steps: &[Step]) -> Server {
    Server::start(&[(GRAPH, &right())], steps)
}

/// What a fetch that was broken off leaves.
pub fn begin(clone: &Clone) {
    std::fs::create_dir_all(clone.graph().parent().unwrap()).unwrap();
    std::fs::write(clone.beside(".partial"), &right()[..1000]).unwrap();
    std::fs::write(clone.beside(".partial.etag"), "\"right\"").unwrap();
}

/// Holds a command's words to a snapshot, whatever the server's port is.
#[track_caller]
pub fn told(name: &str, clone: &Clone, ended: &Ended) {
    let filters = vec![
        (r"127\.0\.0\.1:\d+", "[SERVER]"),
        ("[0-9a-f]{64}", "[SHA256]"),
        (r"\\", "/"),
    ];
    let snapshots = "../snapshots";
    with_settings!({filters => filters, snapshot_path => snapshots, prepend_module_to_snapshot => false}, {
        assert_snapshot!(format!("fetching__{name}"), ended.told(clone.folder.path()));
    });
}
