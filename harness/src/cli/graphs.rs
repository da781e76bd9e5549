//! Owns `llmzip quantize` and `llmzip exact`, which the Python package carries out: graphs are built and proved where numpy and onnx are.

use std::process::Command;

use super::args::PythonArguments;
use super::output::Output;
use super::progress::SetupTalk;
use super::telemetry::no_telemetry;
use crate::setup::{self, Layout, Packages};
use crate::{Error, ErrorCode, Result};

/// Hands `command` and its arguments to the Python package, whose output and exit code are this command's.
pub fn run(command: &str, arguments: &PythonArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let python = setup::prepare_python(&layout, Packages::Runtime, &mut SetupTalk::new(output))?;
    let mut process = Command::new(&python);
    process
        .args(["-m", "llmzip", command])
        .args(&arguments.words)
        .args((command == "quantize" && output.is_quiet()).then_some("--quiet"))
        .env("PYTHONPATH", layout.py_runner().join("src"))
        .envs([no_telemetry()]);
    become_process(process).map_err(|source| {
        Error::new(ErrorCode::Setup, format!("cannot start {}: {source}", python.display()))
            .with_hint("`cargo run -- doctor` says what is missing")
    })
}

/// This process becomes that one, so that signals reach it and nothing stands between. It comes back only where that fails.
#[cfg(unix)]
fn become_process(mut process: Command) -> std::io::Result<u8> {
    use std::os::unix::process::CommandExt;

    Err(process.exec())
}

/// Waits for the process; a console's interruption reaches both.
#[cfg(not(unix))]
fn become_process(mut process: Command) -> std::io::Result<u8> {
    let code = process.status()?.code();
    Ok(code
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(ErrorCode::Internal.exit_code()))
}
