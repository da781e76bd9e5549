//! Owns a conformance run: what is asked of which runner in which order, and the rows of the report that follow. It starts no
//! process, reads no model and prints nothing.

mod asking;
pub mod collect;
pub mod inputs;
pub(crate) mod judge;
mod read_back;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::compare::Classes;
use crate::interrupt;
use crate::report::{FailureEntry, ModelEntry, Report, RunnerEntry, RunnerStatus, SequenceEntry, StageEntry, Verdict};
use crate::runner::Runner;
use crate::runner::protocol::{
    Fingerprint, GraphOptimization, Hello, HelloResult, Outcome, PROTOCOL_VERSION, PlanParams, Progress,
};
use crate::{Error, ErrorCode, Result};

use collect::Collected;

impl Half for Collected {
    fn log_mut(&mut self) -> &mut asking::Log {
        &mut self.log
    }
}

impl Half for read_back::Read {
    fn log_mut(&mut self) -> &mut asking::Log {
        &mut self.log
    }
}
use inputs::Input;

/// A graph to run, with what it must be and how its containers are written.
#[derive(Clone, Debug)]
pub struct Target {
    /// Model and variant, `tiny/q4f16`.
    pub name: String,
    /// Folder with `config.json` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// The graph, relative to the folder.
    pub model_file: PathBuf,
    /// The SHA-256 it must have, in hex.
    pub model_sha256: String,
    /// The SHA-256 its tokenizer must have, in hex.
    pub tokenizer_sha256: String,
    /// The eps of containers, such as `5e-5`.
    pub eps: String,
    /// What a lane starts from.
    pub start_token: u32,
    /// Context window, in tokens.
    pub window: u32,
    /// Tokens of a window that repeat the one before.
    pub overlap: u32,
}

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The graphs, in the order in which they are run.
    pub targets: Vec<Target>,
    /// The text that is predicted.
    pub sequence: Input,
    /// Predict no more than this many of its tokens.
    pub sequence_tokens: Option<usize>,
    /// What is compressed and decompressed.
    pub inputs: Vec<Input>,
    /// Runners of which something must have been compared.
    pub required: Vec<String>,
    /// Threads inside an operator.
    pub threads: u32,
    /// How far the runtime may rewrite the graph.
    pub graph_optimization: GraphOptimization,
    /// Plain bytes of a frame.
    pub frame_bytes: u32,
    /// What is allowed between two sets of rows.
    pub classes: Classes,
}

/// The plans that are compared: FORMAT.md, section 4.
pub const PLANS: [(&str, PlanParams); 3] = [
    ("prefill", PlanParams { lanes: 1, chunk: 128 }),
    ("step", PlanParams { lanes: 1, chunk: 1 }),
    ("lanes", PlanParams { lanes: 8, chunk: 1 }),
];

/// Further plans for exact graphs, whose rows must not depend on the plan.
pub const EXACT_PLANS: [(&str, PlanParams); 2] = [
    ("chunks", PlanParams { lanes: 1, chunk: 16 }),
    ("lanes-prefill", PlanParams { lanes: 8, chunk: 64 }),
];

/// The plans for a graph that is exact or not.
pub(crate) fn plans(exact: bool) -> impl Iterator<Item = (&'static str, PlanParams)> {
    PLANS.into_iter().chain(EXACT_PLANS.into_iter().filter(move |_| exact))
}

/// Pairs of plans whose rows predict the same tokens from the same contexts, and are held against each other inside a runner:
/// those with the same lanes.
pub(crate) fn comparable_plans() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all: Vec<_> = plans(true).collect();
    let pairs: Vec<_> = all
        .iter()
        .enumerate()
        .filter_map(|(index, (name, plan))| {
            let first = all[..index].iter().find(|(_, other)| other.lanes == plan.lanes)?;
            Some((first.0, *name))
        })
        .collect();
    pairs.into_iter()
}

/// A runner that takes part, or the reason why it does not.
pub enum Member {
    /// It takes part.
    Ready(Box<dyn Runner>),
    /// It does not, which is no failure.
    Skipped {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It should have.
    Failed {
        /// Its name.
        name: String,
        /// What went wrong.
        error: Error,
    },
}

/// Told how a run goes on, from several threads at once.
pub trait Observer: Sync {
    /// A runner works on a request; `progress` is there when it tells.
    fn working(&self, runner: &str, model: &str, request: &str, progress: Option<Progress>);
    /// A runner has nothing to do.
    fn resting(&self, runner: &str);
}

/// What the runners' answers are laid against.
pub(crate) trait Bench {
    /// Adds what the answers to one target amount to; `fingerprints` are in the order of `collected`.
    fn judge(
        &mut self,
        settings: &Settings,
        target: &Target,
        collected: &[Collected],
        fingerprints: &[Fingerprint],
        report: &mut Report,
    ) -> Result<()>;

    /// Those whose containers every runner is then to read.
    fn writers<'a>(&'a self, target: &Target, collected: &'a [Collected]) -> &'a [Collected];
}

/// The runners are laid against each other.
struct EachOther;

impl Bench for EachOther {
    fn judge(
        &mut self,
        settings: &Settings,
        target: &Target,
        collected: &[Collected],
        fingerprints: &[Fingerprint],
        report: &mut Report,
    ) -> Result<()> {
        judge::judge(settings, target, collected, fingerprints, report)
    }

    fn writers<'a>(&'a self, _: &Target, collected: &'a [Collected]) -> &'a [Collected] {
        collected
    }
}

struct Seat {
    runner: Box<dyn Runner>,
    entry: RunnerEntry,
    /// Whether it can be asked at all.
    alive: bool,
    /// Whether it has the present model.
    loaded: bool,
}

/// Runs everything and sums up. The runners are stopped when it returns.
///
/// # Errors
/// `interrupted`, `io` when the scratch folder cannot be used, `usage` when there is nothing to run.
pub fn run(settings: &Settings, members: Vec<Member>, scratch: &Path, observer: &dyn Observer) -> Result<Report> {
    run_on(&mut EachOther, settings, members, scratch, observer)
}

/// As [`run`], with the answers laid against what `bench` has.
pub(crate) fn run_on(
    bench: &mut dyn Bench,
    settings: &Settings,
    members: Vec<Member>,
    scratch: &Path,
    observer: &dyn Observer,
) -> Result<Report> {
    let started = Instant::now();
    let mut report = empty_report(settings);
    let mut seats = seat(members, &mut report, observer);
    if seats.iter().filter(|seat| seat.alive).count() == 0 && report.failures.is_empty() {
        return Err(Error::new(ErrorCode::Usage, "no runner takes part").with_hint("see --only and --runner"));
    }
    for (index, target) in settings.targets.iter().enumerate() {
        let folder = scratch.join(index.to_string());
        let mut run = Run {
            bench,
            settings,
            observer,
        };
        run_target(&mut run, target, &mut seats, &folder, &mut report)?;
    }
    for seat in &mut seats {
        seat.runner.stop();
    }
    let unheard = unheard(settings, &report);
    report.failures.extend(unheard);
    for mut seat in seats {
        if report.failures.iter().any(|failure| failure.runner == seat.entry.name) {
            seat.entry.status = RunnerStatus::Failed;
        }
        report.runners.push(seat.entry);
    }
    report
        .runners
        .sort_by_key(|runner| runner.status == RunnerStatus::Skipped);
    report.seconds = started.elapsed().as_secs_f64();
    report.verdict = if report.holds() { Verdict::Pass } else { Verdict::Fail };
    Ok(report)
}

/// The required runners of which nothing was compared, for no failure that is told already.
fn unheard(settings: &Settings, report: &Report) -> Vec<FailureEntry> {
    let told = |name: &str| report.failures.iter().any(|failure| failure.runner == name);
    let names = settings.required.iter();
    names
        .filter(|name| !report.has_rows_of(name) && !told(name))
        .map(|name| {
            let message = format!("{name} is required, and nothing that it answered was compared");
            let error = Error::new(ErrorCode::Setup, message)
                .with_hint("see why its requests were skipped, or do not require it (--require)");
            failure(name, "", "all", error, String::new())
        })
        .collect()
}

fn empty_report(settings: &Settings) -> Report {
    Report {
        verdict: Verdict::Fail,
        models: Vec::new(),
        runners: Vec::new(),
        sequence: SequenceEntry {
            name: settings.sequence.name.clone(),
            bytes: settings.sequence.bytes.len() as u64,
            tokens: 0,
            sha256: String::new(),
        },
        pairs: Vec::new(),
        checks: Vec::new(),
        round_trips: Vec::new(),
        skips: Vec::new(),
        failures: Vec::new(),
        stages: Vec::new(),
        seconds: 0.0,
    }
}

/// Greets every member; those that answer take a seat.
fn seat(members: Vec<Member>, report: &mut Report, observer: &dyn Observer) -> Vec<Seat> {
    let mut seats = Vec::new();
    for member in members {
        let (name, mut runner) = match member {
            Member::Ready(runner) => (runner.name().to_owned(), runner),
            Member::Skipped { name, reason } => {
                let entry = RunnerEntry {
                    name,
                    status: RunnerStatus::Skipped,
                    fingerprint: None,
                    reason: Some(reason),
                };
                report.runners.push(entry);
                continue;
            }
            Member::Failed { name, error } => {
                report.runners.push(failed_entry(&name));
                report.failures.push(failure(&name, "", "start", error, String::new()));
                continue;
            }
        };
        observer.working(&name, "", "hello", None);
        match greet(runner.as_mut()) {
            Ok(hello) => {
                let entry = RunnerEntry {
                    name,
                    status: RunnerStatus::Ok,
                    fingerprint: Some(hello.fingerprint),
                    reason: None,
                };
                seats.push(Seat {
                    runner,
                    entry,
                    alive: true,
                    loaded: false,
                });
            }
            Err(error) => {
                runner.stop();
                report.runners.push(failed_entry(&name));
                report.failures.push(failure(&name, "", "hello", error, runner.talk()));
            }
        }
        observer.resting(report.runners.last().map_or("", |runner| &runner.name));
    }
    seats
}

fn failed_entry(name: &str) -> RunnerEntry {
    RunnerEntry {
        name: name.to_owned(),
        status: RunnerStatus::Failed,
        fingerprint: None,
        reason: None,
    }
}

fn failure(runner: &str, model: &str, request: &str, error: Error, stderr: String) -> FailureEntry {
    FailureEntry {
        runner: runner.to_owned(),
        model: model.to_owned(),
        request: request.to_owned(),
        error,
        stderr,
    }
}

/// Says hello and holds the runner to the protocol's version.
///
/// # Errors
/// `runner` when it speaks another version, or does not answer.
pub fn greet(runner: &mut dyn Runner) -> Result<HelloResult> {
    let hello = Hello {
        protocol: PROTOCOL_VERSION,
    };
    match crate::runner::ask(runner, &hello, &mut |_| Ok(()))? {
        Outcome::Done(hello) if hello.protocol == PROTOCOL_VERSION => Ok(hello),
        Outcome::Done(hello) => Err(Error::new(
            ErrorCode::Runner,
            format!(
                "{} speaks protocol {}, not {PROTOCOL_VERSION}",
                runner.name(),
                hello.protocol
            ),
        )),
        Outcome::Skipped(skip) => Err(Error::new(
            ErrorCode::Runner,
            format!(
                "{} skipped `hello`, which every runner must answer: {}",
                runner.name(),
                skip.reason
            ),
        )),
    }
}

/// What is the same for every target of a run.
struct Run<'a> {
    bench: &'a mut dyn Bench,
    settings: &'a Settings,
    observer: &'a dyn Observer,
}

fn run_target(
    run: &mut Run<'_>,
    target: &Target,
    seats: &mut [Seat],
    folder: &Path,
    report: &mut Report,
) -> Result<()> {
    let Run {
        bench,
        settings,
        observer,
    } = run;
    let (settings, observer): (&Settings, &dyn Observer) = (settings, *observer);
    let input_files = inputs::write(&settings.inputs, &folder.join("inputs"))?;
    let collected: Vec<Collected> = side_by_side(seats, &target.name, |seat| {
        let folder = folder.join(&seat.entry.name);
        collect::collect(settings, target, seat.runner.as_mut(), &input_files, &folder, observer)
    });
    interrupt::check()?;
    for (seat, collected) in seats.iter_mut().zip(&collected) {
        seat.alive &= !collected.log.broken;
        seat.loaded = collected.load.is_some();
        if let Some(load) = &collected.load {
            seat.entry.fingerprint = Some(load.fingerprint.clone());
        }
    }
    report.models.push(ModelEntry {
        name: target.name.clone(),
        file: target.model_file.display().to_string(),
        sha256: target.model_sha256.clone(),
        tokenizer_sha256: target.tokenizer_sha256.clone(),
        graph: collected.iter().find_map(|collected| collected.inspect.clone()),
    });
    if let Some(ids) = collected.iter().find_map(|collected| collected.ids.as_ref()) {
        report.sequence.tokens = ids.len() as u64;
        report.sequence.sha256 = inputs::tokens_sha256(ids);
    }
    let compared = Instant::now();
    let fingerprints: Vec<Fingerprint> = seats
        .iter()
        .map(|seat| seat.entry.fingerprint.clone().unwrap_or_default())
        .collect();
    bench.judge(settings, target, &collected, &fingerprints, report)?;
    report.stages.push(stage(&target.name, "compare", "", compared));

    let writers = bench.writers(target, &collected);
    let books = read_back::books(writers, &settings.inputs);
    let read: Vec<read_back::Read> = side_by_side(seats, &target.name, |seat| {
        if !seat.loaded {
            return read_back::Read::default();
        }
        let folder = folder.join(&seat.entry.name);
        read_back::read_back(
            target,
            seat.runner.as_mut(),
            &books,
            &settings.inputs,
            &folder,
            observer,
        )
    });
    interrupt::check()?;
    read_back::sum_up(target, &settings.inputs, writers, &read, report);
    for (seat, read) in seats.iter_mut().zip(&read) {
        seat.alive &= !read.log.broken;
    }
    for log in collected
        .into_iter()
        .map(|c| c.log)
        .chain(read.into_iter().map(|r| r.log))
    {
        report.failures.extend(log.failures);
        report.skips.extend(log.skips);
        report.stages.extend(log.stages);
    }
    // Rows are large: what was compared is not kept.
    std::fs::remove_dir_all(folder).map_err(|source| Error::io("remove", folder, &source))
}

/// What a runner's half of a run gives; a runner that is gone gives nothing.
trait Half: Send + Default {
    /// Where failures are logged.
    fn log_mut(&mut self) -> &mut asking::Log;
}

/// Lets all living runners work at once; the answers come in the order of the seats.
fn side_by_side<T: Half>(seats: &mut [Seat], model: &str, work: impl Fn(&mut Seat) -> T + Sync) -> Vec<T> {
    let names: Vec<String> = seats.iter().map(|seat| seat.entry.name.clone()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = seats
            .iter_mut()
            .map(|seat| scope.spawn(|| if seat.alive { work(seat) } else { T::default() }))
            .collect();
        let answers = threads.into_iter().zip(&names).map(|(thread, name)| {
            thread.join().unwrap_or_else(|_| {
                let mut half = T::default();
                let error = Error::new(ErrorCode::Internal, format!("the thread that asks {name} panicked"));
                half.log_mut().broken = true;
                half.log_mut()
                    .failures
                    .push(failure(name, model, "all", error, String::new()));
                half
            })
        });
        answers.collect()
    })
}

fn stage(model: &str, name: &str, runner: &str, started: Instant) -> StageEntry {
    StageEntry {
        model: model.to_owned(),
        name: name.to_owned(),
        runner: runner.to_owned(),
        seconds: started.elapsed().as_secs_f64(),
    }
}
