//! Owns a conformance run: what is asked of which runner in which order, and what the report then holds. It starts no process,
//! reads no model and prints nothing.

pub mod asking;
pub mod collect;
pub mod inputs;
pub(crate) mod judge;
mod plans;
mod read_back;
mod seats;
mod settings;

use std::path::Path;
use std::time::Instant;

use crate::interrupt;
use crate::report::{FailureEntry, ModelEntry, Report, RunnerStatus, SequenceEntry, Verdict};
use crate::runner::protocol::Fingerprint;
use crate::{Error, ErrorCode, Result};

pub(crate) use asking::Asking;
use asking::{failure, stage};
use collect::Collected;
use seats::{Seat, seat, side_by_side};

pub use asking::Observer;
pub use plans::{EXACT_PLANS, PLANS};
pub(crate) use plans::{comparable_plans, plans};
pub use seats::{Member, greet};
pub use settings::{Settings, Target};

/// What the runners' answers are laid against.
pub(crate) trait Reference {
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

impl Reference for EachOther {
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

/// Runs everything and sums up. The runners are stopped when it returns.
///
/// # Errors
/// `interrupted`, `io` when the scratch folder cannot be used, `usage` when there is nothing to run.
pub fn run(settings: &Settings, members: Vec<Member>, scratch: &Path, observer: &dyn Observer) -> Result<Report> {
    run_on(&mut EachOther, settings, members, scratch, observer)
}

/// As [`run`], with the answers laid against what `reference` has.
pub(crate) fn run_on(
    reference: &mut dyn Reference,
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
            reference,
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
        remarks: settings.remarks.clone(),
        pairs: Vec::new(),
        checks: Vec::new(),
        round_trips: Vec::new(),
        skips: Vec::new(),
        failures: Vec::new(),
        stages: Vec::new(),
        seconds: 0.0,
    }
}

/// What is the same for every target of a run.
struct Run<'a> {
    reference: &'a mut dyn Reference,
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
        reference,
        settings,
        observer,
    } = run;
    let (settings, observer): (&Settings, &dyn Observer) = (settings, *observer);
    let input_files = inputs::write(&settings.inputs, &folder.join("inputs"))?;
    let collected: Vec<Collected> = side_by_side(seats, &target.name, |seat| {
        let folder = folder.join(&seat.entry.name);
        let asking = Asking::new(seat.runner.as_mut(), &seat.ops, &target.name, observer);
        collect::collect(settings, target, asking, &input_files, &folder)
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
    reference.judge(settings, target, &collected, &fingerprints, report)?;
    report.stages.push(stage(&target.name, "compare", "", compared));

    let writers = reference.writers(target, &collected);
    let containers = read_back::containers(writers, &settings.inputs);
    let read: Vec<read_back::Read> = side_by_side(seats, &target.name, |seat| {
        if !seat.loaded {
            return read_back::Read::default();
        }
        let folder = folder.join(&seat.entry.name);
        let asking = Asking::new(seat.runner.as_mut(), &seat.ops, &target.name, observer);
        read_back::read_back(asking, &containers, &settings.inputs, &folder)
    });
    interrupt::check()?;
    read_back::sum_up(target, &settings.inputs, writers, &read, report);
    for (seat, read) in seats.iter_mut().zip(&read) {
        // Asked while the process is there; one that has died meanwhile keeps what it had before.
        seat.entry.peak_mib = seat.runner.peak_mib().or(seat.entry.peak_mib);
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
