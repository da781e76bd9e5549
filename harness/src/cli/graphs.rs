//! Owns `llmzip quantize` and `llmzip exact`, which the Python package carries out: graphs are built and proved where numpy and onnx are.

use std::process::Command;

use super::args::PythonArguments;
use super::handover::become_process;
use super::output::Output;
use super::progress::SetupTalk;
use super::telemetry::no_telemetry;
use crate::Result;
use crate::setup::{self, Layout, Packages};

/// Hands `command` and its arguments to the Python package, whose output and exit code are this command's.
pub fn run(command: &str, arguments: &PythonArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let python = setup::prepare_python(&layout, Packages::Runtime, &mut SetupTalk::new(output))?;
    let mut process = Command::new(&python);
    process
        // -P: no file of the folder that we are in is taken for a module.
        .args(["-P", "-m", "llmzip", command])
        .args(&arguments.words)
        .args((command == "quantize" && output.is_quiet()).then_some("--quiet"))
        .env("PYTHONPATH", layout.py_runner().join("src"))
        .envs([no_telemetry()]);
    become_process(process)
}
