//! Owns a benchmark: one runner after the other, each in a process of its own, is asked to time compression and decompression of the
//! same tokens in more and more lanes. It compares no bytes and judges no speed.

mod rows;
pub mod table;

use std::path::Path;
use std::{fs, iter};

use serde::Serialize;

pub use rows::{BenchRow, BenchRun, Way, check};

use crate::conform::asking::failure;
use crate::conform::collect::check_load;
use crate::conform::{Observer, Target, greet};
use crate::model::fingerprint::{Fingerprint, GraphOptimization};
use crate::report::FailureEntry;
use crate::runner::protocol::{
    Bench, Detokenize, DetokenizeResult, Operation, Outcome, Tokenize, TokenizeResult, why_not_asked,
};
use crate::runner::{Runner, ask};
use crate::{Error, ErrorCode, Result, interrupt};

/// What a benchmark is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The graphs, one after the other.
    pub targets: Vec<Target>,
    /// The runners' names, one after the other.
    pub runners: Vec<String>,
    /// How many lanes, ascending, so that a runner's peak of memory is that of the lanes it was just timed with.
    pub lanes: Vec<u32>,
    /// Tokens of each lane.
    pub lane_tokens: usize,
    /// The least tokens of all lanes, so that a single lane is timed long enough.
    pub least_tokens: usize,
    /// How often everything is timed.
    pub runs: u32,
    /// What is compressed: as many of its tokens as are asked for, from its beginning, over and over where it has too few.
    pub text: String,
    /// Threads inside an operator.
    pub threads: u32,
    /// The execution provider.
    pub provider: String,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BenchReport {
    /// What each runner said of itself.
    pub runners: Vec<BenchRunner>,
    /// The measurements.
    pub rows: Vec<BenchRow>,
    /// What could not be measured.
    pub failures: Vec<FailureEntry>,
}

/// A runner with a model.
#[derive(Clone, Debug, Serialize)]
pub struct BenchRunner {
    /// Its name.
    pub runner: String,
    /// The model and its variant.
    pub model: String,
    /// What computed.
    pub fingerprint: Fingerprint,
}

/// Starts the runner of a name.
pub type Start<'a> = &'a mut dyn FnMut(&str) -> Result<Box<dyn Runner>>;

/// Measures. `folder` is for inputs. What fails is a row of the report, with the runner's stderr, and the next runner's turn comes.
///
/// # Errors
/// `setup` for a runner that cannot be started here, `interrupted`.
pub fn run(settings: &Settings, start: Start<'_>, folder: &Path, observer: &dyn Observer) -> Result<BenchReport> {
    let mut report = BenchReport::default();
    for target in &settings.targets {
        for name in &settings.runners {
            let mut runner = start(name)?;
            let mut label = "load".to_owned();
            let result = measure(
                settings,
                target,
                runner.as_mut(),
                folder,
                observer,
                &mut label,
                &mut report,
            );
            observer.resting(name);
            interrupt::check()?;
            if let Err(error) = result {
                let failed = failure(name, &target.name, &label, error, runner.talk());
                report.failures.push(failed);
            }
            runner.stop();
        }
    }
    Ok(report)
}

fn measure(
    settings: &Settings,
    target: &Target,
    runner: &mut dyn Runner,
    folder: &Path,
    observer: &dyn Observer,
    label: &mut String,
    report: &mut BenchReport,
) -> Result<()> {
    let name = runner.name().to_owned();
    observer.working(&name, &target.name, "load", None);
    let hello = greet(runner)?;
    for op in [Tokenize::NAME, Detokenize::NAME, Bench::NAME] {
        if let Some(skip) = why_not_asked(op, &hello.ops) {
            let message = format!("{name} cannot be measured: {}", skip.reason);
            return Err(Error::new(ErrorCode::Unsupported, message).with_hint("leave it out with --only"));
        }
    }
    let provider = runner.provider().unwrap_or(&settings.provider).to_owned();
    let request = target.load_request(settings.threads, &provider, GraphOptimization::All);
    let load = done(&name, "load", ask(runner, &request, &mut |_| interrupt::check())?)?;
    check_load(&name, &request, &load)?;
    report.runners.push(BenchRunner {
        runner: name.clone(),
        model: target.name.clone(),
        fingerprint: load.fingerprint,
    });
    let input_file = folder.join("input");
    for &lanes in &settings.lanes {
        let tokens = (settings.lane_tokens * lanes as usize).max(settings.least_tokens);
        let text = text_of(settings, runner, tokens)?;
        fs::write(&input_file, &text).map_err(|source| Error::io("write", &input_file, &source))?;
        let request = Bench {
            input_file: input_file.clone(),
            lanes,
            eps: target.eps.clone(),
            start_token: target.start_token,
            window: target.window,
            overlap: target.overlap,
            runs: settings.runs,
        };
        *label = format!("{lanes} lanes");
        observer.working(&name, &target.name, label, None);
        let outcome = ask(runner, &request, &mut |progress| {
            observer.working(&name, &target.name, label, Some(progress));
            interrupt::check()
        })?;
        let result = done(&name, "bench", outcome)?;
        check(&name, &request, &result, text.len() as u64).inspect_err(|error| runner.break_off(error))?;
        let peak_mib = runner.peak_mib();
        report
            .rows
            .extend(rows::rows(&target.name, &name, lanes, &result, peak_mib));
    }
    Ok(())
}

/// The text of so many tokens, as the runner's own tokenizer cuts it.
fn text_of(settings: &Settings, runner: &mut dyn Runner, tokens: usize) -> Result<String> {
    let name = runner.name().to_owned();
    // No token of a text has less than a byte.
    let times = tokens.div_ceil(settings.text.len().max(1));
    let mut text: String = iter::repeat_n(settings.text.as_str(), times.max(1)).collect();
    let mut ids = loop {
        let request = Tokenize { text: text.clone() };
        let TokenizeResult { ids } = done(&name, "tokenize", ask(runner, &request, &mut |_| Ok(()))?)?;
        if ids.len() >= tokens {
            break ids;
        }
        if ids.is_empty() {
            return Err(Error::new(ErrorCode::Usage, "the text has no tokens").with_hint("give a text to compress"));
        }
        text = text.repeat(tokens.div_ceil(ids.len()));
    };
    ids.truncate(tokens);
    let DetokenizeResult { text } = done(&name, "detokenize", ask(runner, &Detokenize { ids }, &mut |_| Ok(()))?)?;
    Ok(text)
}

fn done<T>(runner: &str, op: &str, outcome: Outcome<T>) -> Result<T> {
    match outcome {
        Outcome::Done(result) => Ok(result),
        Outcome::Skipped(skip) => Err(Error::new(
            ErrorCode::Unsupported,
            format!("{runner} does not do `{op}` here: {}", skip.reason),
        )
        .with_hint("leave it out with --only")),
    }
}
