//! Owns `llmzip conform`: from arguments to a run, and from its report to what is printed and written.

use std::path::Path;

use super::args::ConformArguments;
use super::output::{Output, write_file};
use super::progress::{RunnerBars, SetupTalk};
use super::runners;
use super::targets::{shortened, shortened_for_webgpu, standard_settings, targets_of};
use crate::Result;
use crate::conform::{self, Settings};
use crate::files::{OutputFile, scratch_folder};
use crate::model::fingerprint::GraphOptimization;
use crate::model::provenance::Models;
use crate::report::{json, junit, markdown, terminal};
use crate::setup::Layout;

/// Runs it.
pub fn run(arguments: &ConformArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let settings = settings(arguments, &layout)?;
    // A report that cannot be written is told before anything runs, not after.
    for path in [&arguments.report, &arguments.junit, &arguments.markdown]
        .into_iter()
        .flatten()
    {
        check_writable(path)?;
    }
    let members = runners::members(
        arguments,
        &layout,
        arguments.timeouts.timeouts()?,
        &mut SetupTalk::new(output),
    )?;
    let scratch = scratch_folder()?;
    let bars = RunnerBars::new(output);
    let report = conform::run(&settings, members, scratch.path(), &bars);
    bars.clear();
    let report = report?;
    output.data(&terminal::render(&report, output.colour()))?;
    if let Some(path) = &arguments.report {
        write_file(path, json::render(&report)?.as_bytes())?;
    }
    if let Some(path) = &arguments.junit {
        write_file(path, junit::render(&report)?.as_bytes())?;
    }
    if let Some(path) = &arguments.markdown {
        write_file(path, markdown::render(&report).as_bytes())?;
    }
    Ok(report.exit_code())
}

fn settings(arguments: &ConformArguments, layout: &Layout) -> Result<Settings> {
    let models = Models::of_manifest(&layout.manifest())?;
    let mut targets = Vec::new();
    for name in &arguments.model {
        targets.extend(targets_of(&models, name, &arguments.variant, arguments.thorough)?);
    }
    let settings = Settings {
        sequence_tokens: arguments.tokens,
        required: runners::required(arguments),
        threads: arguments.compute.threads,
        provider: arguments.compute.provider.clone(),
        graph_optimization: match arguments.graph_optimization.as_str() {
            "disabled" => GraphOptimization::Disabled,
            "basic" => GraphOptimization::Basic,
            "extended" => GraphOptimization::Extended,
            _ => GraphOptimization::All,
        },
        ..standard_settings(targets, layout, arguments.thorough)?
    };
    Ok(if arguments.thorough {
        settings
    } else if runners::is_webgpu_chosen(arguments) {
        shortened_for_webgpu(settings)
    } else if runners::emulated(arguments).is_empty() {
        settings
    } else {
        shortened(settings)
    })
}

/// Makes the file's beginning where it will be made, and throws it away.
fn check_writable(path: &Path) -> Result<()> {
    OutputFile::create(path, true).map(drop)
}
