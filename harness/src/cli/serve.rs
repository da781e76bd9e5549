//! Owns `llmzip serve`, which Node carries out: the page is bundled and served where its scripts are.

use std::process::Command;

use super::args::ServeArguments;
use super::handover::become_process;
use super::model::{DEFAULT_MODEL, named_model};
use super::output::Output;
use super::progress::SetupTalk;
use super::telemetry::no_telemetry;
use crate::Result;
use crate::model::provenance::Models;
use crate::setup::{self, Layout};

/// Hands a model's folder to Node, whose output and exit code are this command's.
pub fn run(arguments: &ServeArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let name = named_model(arguments.model.as_deref()).unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    let choice = Models::of_manifest(&layout.manifest())?.choose(&name, arguments.variant.as_deref())?;
    let node = setup::prepare_node(&layout, &mut SetupTalk::new(output))?;
    let mut process = Command::new(node);
    process
        .arg(layout.js_runner().join("bin").join("llmzip.mjs"))
        .args(["serve", "--model"])
        .arg(&choice.model_dir)
        .args(option("--variant", arguments.variant.clone()))
        .args(option("--port", arguments.port.map(|port| port.to_string())))
        .args(output.is_quiet().then_some("--quiet"))
        .envs([no_telemetry()]);
    become_process(process)
}

fn option(name: &str, value: Option<String>) -> Vec<String> {
    value.map_or_else(Vec::new, |value| vec![name.to_owned(), value])
}
