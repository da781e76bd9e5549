//! Owns the search for tools on the PATH and the versions they must have.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, ErrorCode, Result};

/// A tool that was found.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// The version it gives.
    pub version: String,
}

impl Tool {
    /// For a person to read.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.version, self.path.display())
    }
}

/// A Python that can make environments.
pub fn python() -> Result<Tool> {
    let names = if cfg!(windows) {
        ["python", "py"]
    } else {
        ["python3", "python"]
    };
    find("Python", &names, (3, 11), "install Python 3.11 or later")
}

/// Node.
pub fn node() -> Result<Tool> {
    find("Node", &["node"], (20, 0), "install Node 20 or later")
}

/// Node's package manager.
pub fn npm() -> Result<Tool> {
    find("npm", &["npm"], (9, 0), "install npm 9 or later; it comes with Node")
}

/// uv, if it is on the PATH.
pub fn uv() -> Result<Tool> {
    find(
        "uv",
        &["uv"],
        (0, 5),
        "set-up gets uv by itself; nothing needs to be done",
    )
}

fn find(title: &str, names: &[&str], minimum: (u32, u32), hint: &str) -> Result<Tool> {
    let mut found = None;
    for name in names {
        let Ok(path) = which::which(name) else { continue };
        let Some(version) = version_of(&path) else { continue };
        if parse_version(&version).is_some_and(|version| version >= minimum) {
            return Ok(Tool { path, version });
        }
        found = Some(version);
    }
    let (major, minor) = minimum;
    let message = match found {
        Some(version) => format!("{title} {major}.{minor} or later is needed; found {version}"),
        None => format!("{title} is not on the PATH"),
    };
    Err(Error::new(ErrorCode::Setup, message).with_hint(hint))
}

/// The first line that `tool --version` prints.
pub fn version_of(path: &Path) -> Option<String> {
    let output = Command::new(path).arg("--version").output().ok()?;
    let text = if output.stdout.is_empty() {
        output.stderr
    } else {
        output.stdout
    };
    let line = String::from_utf8_lossy(&text).lines().next()?.trim().to_owned();
    output.status.success().then_some(line)
}

/// Major and minor of the first word that looks like a version.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_tools_print() {
        let check = |text: &str, expected| assert_eq!(parse_version(text), expected, "{text}");
        check("Python 3.11.7", Some((3, 11)));
        check("v20.20.2", Some((20, 20)));
        check("uv 0.13.9 (abc 2026-01-01)", Some((0, 13)));
        check("11.19.1", Some((11, 19)));
        check("no version here", None);
        check("", None);
    }

    #[test]
    fn a_tool_that_is_missing_says_how_to_get_it() {
        let error = find("Nonsense", &["llmzip-no-such-tool"], (1, 0), "do this").unwrap_err();
        assert_eq!((error.code, error.hint.as_str()), (ErrorCode::Setup, "do this"));
    }
}
