//! Owns how a command goes over to another program, whose output and exit code are then this one's.

use std::process::Command;

use crate::{Error, ErrorCode, Result};

/// This process becomes that one; it comes back only where that fails, or where systems have no such thing.
///
/// # Errors
/// `setup` when the program cannot be started.
pub fn become_process(process: Command) -> Result<u8> {
    let program = process.get_program().display().to_string();
    become_it(process).map_err(|source| {
        Error::new(ErrorCode::Setup, format!("cannot start {program}: {source}"))
            .with_hint("`cargo run -- doctor` says what is missing")
    })
}

/// Signals reach it, and nothing stands between.
#[cfg(unix)]
fn become_it(mut process: Command) -> std::io::Result<u8> {
    use std::os::unix::process::CommandExt;

    Err(process.exec())
}

/// Waits for the process; a console's interruption reaches both.
#[cfg(not(unix))]
fn become_it(mut process: Command) -> std::io::Result<u8> {
    let code = process.status()?.code();
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(ErrorCode::Internal.exit_code()))
}
