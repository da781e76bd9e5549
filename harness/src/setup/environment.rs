//! Owns the marker that says an environment was made from a lock file, and the running of an installer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Narrator;
use crate::{Error, ErrorCode, Result};

/// How much of an installer's words a message quotes, in lines.
const QUOTED_LINES: usize = 15;

/// The name of the marker inside an environment.
const MARKER: &str = ".llmzip-lock";

/// What a marker says of an environment made from these bytes.
fn stamp(lock: &Path) -> Result<String> {
    let bytes = fs::read(lock).map_err(|source| Error::io("read", lock, &source))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether `environment` was made from `lock` as it is now.
pub fn is_current(environment: &Path, lock: &Path) -> Result<bool> {
    let stamp = stamp(lock)?;
    let marker = fs::read_to_string(environment.join(MARKER)).unwrap_or_default();
    Ok(marker.lines().any(|line| line == stamp))
}

/// Says that `environment` was made from `locks`.
pub fn mark(environment: &Path, locks: &[&Path]) -> Result<()> {
    let mut stamps = String::new();
    for lock in locks {
        stamps.push_str(&stamp(lock)?);
        stamps.push('\n');
    }
    let path = environment.join(MARKER);
    fs::write(&path, stamps).map_err(|source| Error::io("write", &path, &source))
}

/// Runs an installer; its output is shown only when it fails.
pub fn install(narrator: &mut dyn Narrator, what: &str, command: &mut Command) -> Result<()> {
    narrator.begins(what);
    let output = command.stdin(Stdio::null()).output();
    narrator.ended();
    let output = output.map_err(|source| {
        Error::new(
            ErrorCode::Setup,
            format!("cannot start {}: {source}", command.get_program().to_string_lossy()),
        )
    })?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&words);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n");
    Err(
        Error::new(ErrorCode::Setup, format!("{what} failed ({}):\n{end}", output.status))
            .with_hint("set-up needs the package registries once; check the network and run the command again"),
    )
}
