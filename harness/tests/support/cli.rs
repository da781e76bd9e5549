//! The real binary in processes of its own, and what tests of it need: its environment cleaned, its words made the same
//! everywhere.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use llmzip::setup::{self, Layout};

/// How a command ended.
pub struct Ended {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The binary, at the repository's root, with nothing of the caller's environment that it would heed.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llmzip"));
    command.args(args).current_dir(root());
    let ours = ["LLMZIP_ROOT", "LLMZIP_MODEL", "NO_COLOR", "COLUMNS", "CLICOLOR_FORCE"];
    let hub = [
        "HF_ENDPOINT",
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "XDG_CACHE_HOME",
    ];
    let proxies = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    for variable in ours.into_iter().chain(hub).chain(proxies) {
        command.env_remove(variable);
    }
    command
}

/// Runs a command with these bytes on its stdin.
pub fn finish(mut command: Command, stdin: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // In a thread, and it may fail: a command that refuses its arguments reads nothing.
    let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let ended = wait(child);
    writer.join().unwrap();
    ended
}

/// Runs the binary with nothing on its stdin.
pub fn run(args: &[&str]) -> Ended {
    finish(command(args), b"")
}

/// Waits for a command's end.
pub fn wait(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    /// Fails unless the command ended with this code and said this.
    #[track_caller]
    pub fn check(&self, code: i32, said: &str) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(self.stderr.contains(said), "{said:?} is not in {:?}", self.stderr);
    }

    /// Everything, for a snapshot; `folder` is the test's own.
    pub fn told(&self, folder: &Path) -> String {
        let name = format!("llmzip{}", std::env::consts::EXE_SUFFIX);
        let stdout = String::from_utf8_lossy(&self.stdout);
        let code = self.code.map_or("none".to_owned(), |code| code.to_string());
        format!("exit code: {code}\n-- stdout\n{stdout}-- stderr\n{}", self.stderr)
            .replace(&folder.display().to_string(), "[FOLDER]")
            .replace(&root().display().to_string(), "[ROOT]")
            .replace(&name, "llmzip")
    }
}

/// Set where no test may be left out, as in continuous integration.
pub const LEAVE_NOTHING_OUT: &str = "LLMZIP_LEAVE_NOTHING_OUT";

/// Says that a test is left out, or fails where that may not be.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
pub fn leave_out(why: &str) {
    assert!(std::env::var_os(LEAVE_NOTHING_OUT).is_none(), "left out: {why}");
    eprintln!("left out: {why}");
}

/// Whether ONNX Runtime is there; says why not.
pub fn has_runtime() -> bool {
    let found = setup::find_onnxruntime(&Layout::at(root()));
    if let Err(error) = &found {
        leave_out(&error.to_string());
    }
    found.is_ok()
}

/// Whether the Python and Node runners can be started without an installation; says why not.
pub fn has_environments() -> bool {
    let missing: Vec<String> = setup::examine(&Layout::at(root()))
        .into_iter()
        .filter(|finding| finding.is_needed && finding.name != "npm")
        .filter_map(|finding| Some(format!("{}: {}", finding.name, finding.state.err()?)))
        .collect();
    if !missing.is_empty() {
        leave_out(&missing.join("; "));
    }
    missing.is_empty()
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Writes a file and gives its path.
pub fn write(path: PathBuf, bytes: &[u8]) -> String {
    std::fs::write(&path, bytes).unwrap();
    text(&path)
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
