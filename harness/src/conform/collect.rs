//! Owns the first half of a run for one runner and one model: everything that can be asked before the runners' answers are
//! laid side by side.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::asking::{Asking, Log};
use super::inputs::{Input, sha256_of_written};
use super::{Settings, Target, plans};
use crate::compare::RowsFile;
use crate::compare::rows::read_coded;
use crate::runner::protocol::{
    Compress, CompressResult, Detokenize, GraphOptimization, Inspect, InspectResult, Load, LoadResult, Logprobs,
    LogprobsResult, Tokenize,
};
use crate::{Error, ErrorCode, Result};

/// The rows of one plan.
#[derive(Debug)]
pub struct PlanRows {
    /// The graph's logits.
    pub rows: RowsFile,
    /// The runner's own log-probs of the coded tokens.
    pub coded: Vec<f64>,
}

/// A container that the runner wrote.
#[derive(Debug)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256, by the orchestrator's own reckoning.
    pub sha256: String,
    /// What the runner says of it.
    pub result: CompressResult,
}

/// Everything a runner answered.
#[derive(Debug, Default)]
pub struct Collected {
    /// The runner's name.
    pub runner: String,
    /// Of `load`.
    pub load: Option<LoadResult>,
    /// Of `inspect`.
    pub inspect: Option<InspectResult>,
    /// The sequence's tokens.
    pub ids: Option<Vec<u32>>,
    /// What the runner makes of its own tokens.
    pub text: Option<String>,
    /// By plan.
    pub rows: BTreeMap<&'static str, PlanRows>,
    /// By input.
    pub containers: BTreeMap<String, Written>,
    /// Failures, skips and times.
    pub log: Log,
}

/// Asks a runner everything about `target`.
pub fn collect(
    settings: &Settings,
    target: &Target,
    mut asking: Asking<'_>,
    input_files: &BTreeMap<String, PathBuf>,
    folder: &Path,
) -> Collected {
    let mut collected = Collected {
        runner: asking.name().to_owned(),
        ..Collected::default()
    };
    if let Err(source) = fs::create_dir_all(folder) {
        asking.fail("scratch", Error::io("make", folder, &source));
    } else if load(settings, target, &mut asking, &mut collected) {
        predict(settings, target, &mut asking, folder, &mut collected);
        write(settings, target, &mut asking, input_files, folder, &mut collected);
    }
    collected.log = asking.log;
    collected
}

fn load(settings: &Settings, target: &Target, asking: &mut Asking<'_>, collected: &mut Collected) -> bool {
    let provider = asking.provider().unwrap_or(&settings.provider).to_owned();
    let request = target.load_request(settings.threads, &provider, settings.graph_optimization);
    let Some(load) = asking.ask("load", &request) else {
        return false;
    };
    if let Err(error) = check_load(asking.name(), &request, &load) {
        asking.fail("load", error);
        return false;
    }
    collected.load = Some(load);
    collected.inspect = asking.ask("inspect", &Inspect {});
    if let Some(view) = &collected.inspect
        && view.provider != request.provider
    {
        let error = not_as_asked(asking.name(), "provider", &request.provider, &view.provider);
        asking.fail("inspect", error);
    }
    true
}

/// A runner that loads something else than it was told, or runs it otherwise, has no business in the comparison.
///
/// # Errors
/// `integrity`, `vocabulary`, and `runner` for another provider, number of threads or graph optimisation than was asked for.
pub fn check_load(runner: &str, request: &Load, load: &LoadResult) -> Result<()> {
    for (what, wanted, found) in [
        ("model", &request.model_sha256, &load.model_sha256),
        ("tokenizer", &request.tokenizer_sha256, &load.tokenizer_sha256),
    ] {
        if wanted != found {
            return Err(Error::new(
                ErrorCode::Integrity,
                format!("{runner} says it loaded a {what} with SHA-256 {found}, not {wanted}"),
            )
            .with_hint("the runner must hash the bytes it loads and refuse others"));
        }
    }
    if load.tokenizer_size > load.vocab_size {
        return Err(Error::new(
            ErrorCode::Vocabulary,
            format!(
                "{runner}'s tokenizer has {} ids, the graph's vocabulary {}",
                load.tokenizer_size, load.vocab_size
            ),
        )
        .with_hint("model and tokenizer do not belong together"));
    }
    let used = &load.fingerprint;
    let level = |level: GraphOptimization| format!("{level:?}").to_lowercase();
    let settings = [
        ("provider", Some(request.provider.clone()), used.provider.clone()),
        (
            "threads",
            Some(request.threads.to_string()),
            used.threads.map(|threads| threads.to_string()),
        ),
        (
            "graph_optimization",
            Some(level(request.graph_optimization)),
            used.graph_optimization.map(level),
        ),
    ];
    for (what, wanted, found) in settings {
        if wanted != found {
            let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
            return Err(not_as_asked(runner, what, &known(wanted), &known(found)));
        }
    }
    Ok(())
}

fn not_as_asked(runner: &str, what: &str, wanted: &str, found: &str) -> Error {
    Error::new(
        ErrorCode::Runner,
        format!("{runner} was asked for the {what} {wanted}, and says that it uses {found}"),
    )
    .with_hint("a runner refuses what it cannot do, with the code `unsupported`")
}

fn predict(settings: &Settings, target: &Target, asking: &mut Asking<'_>, folder: &Path, collected: &mut Collected) {
    let text = String::from_utf8_lossy(&settings.sequence.bytes).into_owned();
    let Some(tokens) = asking.ask("tokenize", &Tokenize { text }) else {
        return;
    };
    collected.text = asking
        .ask(
            "detokenize",
            &Detokenize {
                ids: tokens.ids.clone(),
            },
        )
        .map(|result| result.text);
    let mut ids = tokens.ids;
    ids.truncate(settings.sequence_tokens.unwrap_or(usize::MAX));
    let exact = collected.inspect.as_ref().is_some_and(|graph| graph.exactness.exact);
    for (name, plan) in plans(exact) {
        let request = Logprobs {
            ids: ids.clone(),
            plan,
            start_token: target.start_token,
            window: target.window,
            overlap: target.overlap,
            logits_file: folder.join(format!("{name}.logits")),
            coded_file: folder.join(format!("{name}.coded")),
            rows_file: None,
        };
        let label = format!("logprobs {name}");
        let Some(result) = asking.ask(&label, &request) else {
            continue;
        };
        let vocab_size = collected.load.as_ref().map_or(0, |load| load.vocab_size);
        match plan_rows(&request, &result, vocab_size) {
            Ok(rows) => drop(collected.rows.insert(name, rows)),
            Err(error) => asking.fail(&label, error),
        }
    }
    collected.ids = Some(ids);
}

/// Holds an answer of `logprobs` to its request, and reads what small part of it stays in memory.
pub fn plan_rows(request: &Logprobs, result: &LogprobsResult, vocab_size: u32) -> Result<PlanRows> {
    let wrong = |what: String| Err(Error::new(ErrorCode::Runner, what));
    if result.rows != request.ids.len() as u64 || result.vocab_size != vocab_size {
        return wrong(format!(
            "asked for {} rows of {vocab_size} values, answered {} of {}",
            request.ids.len(),
            result.rows,
            result.vocab_size
        ));
    }
    let rows = RowsFile {
        path: request.logits_file.clone(),
        rows: request.ids.len(),
        vocab_size: vocab_size as usize,
        logits_type: result.logits_type,
    };
    // Opened now, so that a file that is missing or cut short is this request's failure.
    rows.open()?;
    Ok(PlanRows {
        rows,
        coded: read_coded(&request.coded_file, request.ids.len())?,
    })
}

fn write(
    settings: &Settings,
    target: &Target,
    asking: &mut Asking<'_>,
    input_files: &BTreeMap<String, PathBuf>,
    folder: &Path,
    collected: &mut Collected,
) {
    for (index, input) in settings.inputs.iter().enumerate() {
        let Some(input_file) = input_files.get(&input.name) else {
            continue;
        };
        let request = Compress {
            input_file: input_file.clone(),
            output_file: folder.join(format!("{index}.llmzip")),
            lanes: input.lanes,
            eps: target.eps.clone(),
            start_token: target.start_token,
            window: target.window,
            overlap: target.overlap,
            frame_bytes: settings.frame_bytes,
        };
        let label = format!("compress {}", input.name);
        let Some(result) = asking.ask(&label, &request) else {
            continue;
        };
        match check_written(&request, &result, input) {
            Ok(sha256) => {
                let written = Written {
                    path: request.output_file,
                    sha256,
                    result,
                };
                collected.containers.insert(input.name.clone(), written);
            }
            Err(error) => asking.fail(&label, error),
        }
    }
}

fn check_written(request: &Compress, result: &CompressResult, input: &Input) -> Result<String> {
    if result.plain_bytes != input.bytes.len() as u64 {
        return Err(Error::new(
            ErrorCode::Runner,
            format!(
                "says that it compressed {} bytes, but was given {}",
                result.plain_bytes,
                input.bytes.len()
            ),
        ));
    }
    sha256_of_written(&request.output_file, result.container_bytes)
}
