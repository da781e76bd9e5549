//! Owns `llmzip bench`: from arguments to measurements, and from these to what is printed and written.

use std::collections::BTreeSet;
use std::fs;

use super::args::BenchArguments;
use super::output::{Output, write_file};
use super::progress::{RunnerBars, SetupTalk};
use super::runners;
use super::targets::targets_of;
use crate::bench::{self, Settings, table};
use crate::files::{OutputFile, scratch_folder};
use crate::model::provenance::Models;
use crate::report::exit_code_of;
use crate::report::sections::{failures, plain};
use crate::report::terminal::render_sections;
use crate::setup::Layout;
use crate::{Error, ErrorCode, Result};

/// Runs it.
pub fn run(arguments: &BenchArguments, output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let added = runners::beside_built_in(&arguments.only, &arguments.runner)?;
    let names = added.iter().map(|(name, _)| name);
    let settings = settings(arguments, &layout, arguments.only.iter().chain(names))?;
    if let Some(path) = &arguments.json {
        if path.as_os_str() == "-" {
            return Err(Error::new(ErrorCode::Usage, "--json -: stdout has the table").with_hint("name a file"));
        }
        // What cannot be written is told before anything runs, not after.
        OutputFile::create(path, true)?;
    }
    let timeouts = arguments.timeouts.timeouts()?;
    let scratch = scratch_folder()?;
    let bars = RunnerBars::new(output);
    let report = bench::run(
        &settings,
        &mut |name| runners::alone(name, &added, &layout, timeouts, &mut SetupTalk::new(output)),
        scratch.path(),
        &bars,
    );
    bars.clear();
    let report = report?;
    let measured = format!(
        "{} measurements, each the median of {}",
        report.rows.len(),
        settings.runs
    );
    let mut sections = vec![table::section(&report)];
    sections.retain(|section| !section.rows.is_empty());
    sections.extend(failures(&report.failures));
    let text = render_sections(&sections, &plain(measured), output.colour());
    output.data(&text)?;
    if let Some(path) = &arguments.json {
        let mut json = serde_json::to_vec_pretty(&report)
            .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write the measurements: {source}")))?;
        json.push(b'\n');
        write_file(path, &json)?;
    }
    let failed = u8::from(!report.failures.is_empty());
    Ok(exit_code_of(&report.failures).unwrap_or(failed))
}

fn settings<'a>(
    arguments: &BenchArguments,
    layout: &Layout,
    runners: impl Iterator<Item = &'a String>,
) -> Result<Settings> {
    let models = Models::of_manifest(&layout.manifest())?;
    let mut targets = Vec::new();
    for name in &arguments.model {
        targets.extend(targets_of(&models, name, &arguments.variant, false)?);
    }
    // Who is measured twice has rows that nobody can tell apart.
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert((target.model_dir.clone(), target.model_file.clone())));
    let mut seen = BTreeSet::new();
    let runners = runners.filter(|name| seen.insert(*name)).cloned().collect();
    let sample = || layout.models().join("tiny").join("samples").join("prose-45k.txt");
    let path = arguments.text.clone().unwrap_or_else(sample);
    let bytes = fs::read(&path).map_err(|source| Error::io("read", &path, &source))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::new(ErrorCode::Usage, format!("{} is no UTF-8 text", path.display()))
            .with_hint("a benchmark cuts a text by its tokens; give one that is UTF-8")
    })?;
    let mut lanes = arguments.lanes.clone();
    lanes.sort_unstable();
    lanes.dedup();
    Ok(Settings {
        targets,
        runners,
        lanes,
        lane_tokens: arguments.lane_tokens,
        least_tokens: arguments.least_tokens,
        runs: arguments.runs,
        text,
        threads: arguments.compute.threads,
        provider: arguments.compute.provider.clone(),
    })
}
