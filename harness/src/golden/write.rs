//! Owns the making of a model's goldens from the answers of exactly one runner.

use std::fs;
use std::path::Path;

use super::beside;
use super::folder::{self, Files};
use super::record::{Asked, ContainerEntry, Header, VERSION, Variant, Writer};
use crate::conform::collect::{Collected, collect};
use crate::conform::{Asking, Observer, Settings, greet, inputs};
use crate::runner::Runner;
use crate::{Error, ErrorCode, Result, interrupt};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many files.
    pub files: usize,
    /// Their bytes, all together.
    pub bytes: u64,
}

/// Asks `runner` everything that `settings` ask and puts its answers in the place of `folder`, whole or not at all. The runner
/// is stopped when it returns.
///
/// # Errors
/// The runner's first failure: `integrity` when a model is not the one that the manifest names; `unsupported` when it skips a
/// request; `io`.
pub fn write(
    folder: &Path,
    model: &str,
    settings: &Settings,
    runner: &mut dyn Runner,
    scratch: &Path,
    observer: &dyn Observer,
) -> Result<Summary> {
    let answers = ask(settings, runner, scratch, observer);
    runner.stop();
    let mut files = Files::new();
    let mut variants = Vec::new();
    let mut writer: Option<Writer> = None;
    for (target, collected) in settings.targets.iter().zip(&answers?) {
        let asked = Asked::of(settings, target);
        variants.push(record_variant(asked, collected, &mut files)?);
        writer = writer.or_else(|| {
            Some(Writer {
                runner: collected.runner.clone(),
                fingerprint: collected.load.clone()?.fingerprint,
            })
        });
    }
    let asked: Vec<Asked> = variants.iter().map(|variant| variant.asked.clone()).collect();
    if !files.keys().eq(beside::paths(&asked).iter()) {
        return Err(Error::new(
            ErrorCode::Internal,
            "two goldens would share a file, or one has none",
        ));
    }
    let header = Header {
        version: VERSION,
        model: model.to_owned(),
        writer: writer.ok_or_else(|| Error::new(ErrorCode::Usage, format!("{model} has no variant to write")))?,
        variants,
        files: folder::entries(&files),
    };
    folder::replace(folder, &header, &files)?;
    Ok(Summary {
        files: files.len(),
        bytes: header.files.iter().map(|file| file.bytes).sum(),
    })
}

fn ask(
    settings: &Settings,
    runner: &mut dyn Runner,
    scratch: &Path,
    observer: &dyn Observer,
) -> Result<Vec<Collected>> {
    let ops = greet(runner)?.ops;
    let input_files = inputs::write(&settings.inputs, &scratch.join("inputs"))?;
    let mut answers = Vec::new();
    for (index, target) in settings.targets.iter().enumerate() {
        let folder = scratch.join(index.to_string());
        let asking = Asking::new(runner, &ops, &target.name, observer);
        let mut collected = collect(settings, target, asking, &input_files, &folder);
        interrupt::check()?;
        if !collected.log.failures.is_empty() {
            let failure = collected.log.failures.swap_remove(0);
            let message = format!(
                "{} failed at `{}` of {}: {}",
                failure.runner, failure.request, failure.model, failure.error.message
            );
            return Err(Error {
                message,
                ..failure.error
            });
        }
        if let Some(skip) = collected.log.skips.first() {
            let message = format!(
                "{} skips `{}` of {}: {}",
                skip.runner, skip.request, skip.model, skip.reason
            );
            return Err(Error::new(ErrorCode::Unsupported, message)
                .with_hint("goldens need every answer; write them with another runner"));
        }
        answers.push(collected);
    }
    Ok(answers)
}

fn record_variant(asked: Asked, collected: &Collected, files: &mut Files) -> Result<Variant> {
    let name = asked.name.as_str();
    let missing = |what: &str| Error::new(ErrorCode::Internal, format!("{} of {name} was never asked for", what));
    let ids = collected.ids.as_ref().ok_or_else(|| missing("the tokens"))?;
    let view = collected.inspect.as_ref().ok_or_else(|| missing("the graph's view"))?;
    let view = serde_json::to_string_pretty(view)
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a graph's view: {source}")))?;
    files.insert(beside::tokens_path(name), beside::tokens_text(ids).into_bytes());
    files.insert(beside::inspect_path(name), (view + "\n").into_bytes());
    for plan in &asked.plans {
        let rows = collected
            .rows
            .get(plan.name.as_str())
            .ok_or_else(|| missing(&plan.name))?;
        files.insert(beside::coded_path(name, &plan.name), beside::coded_bytes(&rows.coded));
    }
    let mut containers = Vec::new();
    for input in &asked.inputs {
        let written = collected
            .containers
            .get(&input.name)
            .ok_or_else(|| missing(&input.name))?;
        let bytes = fs::read(&written.path).map_err(|source| Error::io("read", &written.path, &source))?;
        files.insert(beside::container_path(name, &input.name), bytes);
        containers.push(ContainerEntry::of(&input.name, &written.result));
    }
    Ok(Variant {
        tokens: ids.len() as u64,
        containers,
        asked,
    })
}
