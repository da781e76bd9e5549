//! Owns `llmzip golden`: from arguments to a check or a recording, and what is said of it.

use super::args::{GoldenArguments, GoldenCheckArguments, GoldenCommand, GoldenWriteArguments};

use super::output::{Output, write_file};
use super::progress::{RunnerBars, SetupTalk};
use super::runners;
use super::targets::{standard_settings, target};
use crate::conform::{Member, Settings};
use crate::files::scratch_folder;
use crate::golden::codec_vectors::codec_vectors_text;
use crate::golden::recorded::Goldens;
use crate::golden::{self, table};
use crate::model::provenance::Models;
use crate::runner::process::Timeouts;
use crate::setup::Layout;
use crate::{Error, ErrorCode, Result};

/// Runs it.
pub fn run(arguments: &GoldenArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    match &arguments.command {
        GoldenCommand::Check(arguments) => check(arguments, &layout, output),
        GoldenCommand::Write(arguments) => write(arguments, &layout, output),
    }
}

fn check(arguments: &GoldenCheckArguments, layout: &Layout, output: &Output) -> Result<u8> {
    let settings = Settings {
        required: arguments.runner.clone(),
        ..settings(&arguments.model, layout)?
    };
    // Goldens that cannot be used are told before any environment is made or runner started.
    let goldens = Goldens::read(&layout.golden().join(&arguments.model), &arguments.model, &settings)?;
    // How this machine computes is its own; what is allowed then follows from the fingerprints.
    let settings = Settings {
        threads: arguments.compute.threads,
        provider: arguments.compute.provider.clone(),
        ..settings
    };
    let members = runners::named(
        "--runner",
        &arguments.runner,
        layout,
        Timeouts::default(),
        &mut SetupTalk::new(output),
    )?;
    let scratch = scratch_folder()?;
    let bars = RunnerBars::new(output);
    let report = golden::check(&goldens, &settings, members, scratch.path(), &bars);
    bars.clear();
    let report = report?;
    output.data(&table::render(&report, output.colour()))?;
    Ok(report.report.exit_code())
}

fn write(arguments: &GoldenWriteArguments, layout: &Layout, output: &Output) -> Result<u8> {
    let vectors = codec_vectors_text()?;
    if !arguments.codec {
        write_model(arguments, layout, output)?;
    }
    write_file(&layout.golden().join("codec").join("vectors.json"), vectors.as_bytes())?;
    output.data(&format!("golden/codec/vectors.json: {} bytes\n", vectors.len()))?;
    Ok(0)
}

fn write_model(arguments: &GoldenWriteArguments, layout: &Layout, output: &Output) -> Result<()> {
    let settings = settings(&arguments.model, layout)?;
    let names = [arguments.runner.clone()];
    let members = runners::named(
        "--runner",
        &names,
        layout,
        Timeouts::default(),
        &mut SetupTalk::new(output),
    )?;
    let mut runner = match members.into_iter().next() {
        Some(Member::Ready(runner)) => runner,
        Some(Member::Failed { error, .. }) => return Err(error),
        _ => return Err(Error::new(ErrorCode::Usage, "--runner: name one runner")),
    };
    let scratch = scratch_folder()?;
    let bars = RunnerBars::new(output);
    let folder = layout.golden().join(&arguments.model);
    let written = golden::write(
        &folder,
        &arguments.model,
        &settings,
        runner.as_mut(),
        scratch.path(),
        &bars,
    );
    bars.clear();
    let written = written?;
    output.data(&format!(
        "golden/{}: {} files, {} bytes, by {}\n",
        arguments.model, written.files, written.bytes, arguments.runner
    ))
}

/// All variants that the manifest has of a model: goldens of some would be taken for goldens of all.
fn settings(model: &str, layout: &Layout) -> Result<Settings> {
    let models = Models::of_manifest(&layout.manifest())?;
    let variants = models.variants(model)?;
    let targets = variants
        .iter()
        .map(|variant| target(models.choose(model, Some(&variant.variant))?))
        .collect::<Result<_>>()?;
    standard_settings(targets, layout, false)
}
