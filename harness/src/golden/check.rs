//! Owns the holding of a machine to a model's goldens: these stand in a conformance run where another runner would, and what
//! is allowed follows from the class of writer and reader.

use std::path::Path;

use super::record::Writer;
use super::recorded::{Goldens, Recorded};
use crate::Result;
use crate::compare::classes::{Activations, PairClass, PairVerdict};
use crate::compare::{CodedStats, compare_coded};
use crate::conform::collect::Collected;
use crate::conform::judge::{activations, check_answers};
use crate::conform::{self, Member, Observer, Reference, Settings, Target};
use crate::report::{CheckEntry, Report};
use crate::runner::protocol::Fingerprint;

/// What holding a machine to goldens found.
#[derive(Clone, Debug)]
pub struct GoldenReport {
    /// The model.
    pub model: String,
    /// Who wrote the goldens.
    pub writer: Writer,
    /// Runners, checks and failures; its round trips are the golden containers and who read them. It has no pairs.
    pub report: Report,
    /// What is expected of each runner that loaded a graph.
    pub standings: Vec<Standing>,
    /// The coded tokens' log-probs.
    pub coded: Vec<CodedEntry>,
    /// The containers that this machine writes.
    pub containers: Vec<ContainerComparison>,
}

/// What is expected of a runner on a graph.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Model and variant.
    pub model: String,
    /// Whose.
    pub runner: String,
    /// The class of writer and runner.
    pub class: PairClass,
    /// The largest difference of a log-prob that is allowed, in nats.
    pub tolerance: f64,
}

/// A runner's log-probs of the coded tokens held to the golden ones.
#[derive(Clone, Debug)]
pub struct CodedEntry {
    /// Model and variant.
    pub model: String,
    /// Whose.
    pub runner: String,
    /// The plan.
    pub plan: &'static str,
    /// What was measured; the golden ones are on the left.
    pub stats: CodedStats,
    /// Whether it held.
    pub verdict: PairVerdict,
}

/// A runner's container held to the golden one.
#[derive(Clone, Debug)]
pub struct ContainerComparison {
    /// Model and variant.
    pub model: String,
    /// Whose.
    pub runner: String,
    /// What it holds.
    pub input: String,
    /// Whether the two are the same bytes.
    pub equal: bool,
}

/// Asks `members` everything that the goldens answer, lets them read the golden containers, and says what differs. The
/// runners are stopped when it returns.
///
/// # Errors
/// Those of [`conform::run`].
pub fn check(
    goldens: &Goldens,
    settings: &Settings,
    members: Vec<Member>,
    scratch: &Path,
    observer: &dyn Observer,
) -> Result<GoldenReport> {
    let mut reference = AgainstGoldens {
        goldens,
        standings: Vec::new(),
        coded: Vec::new(),
        containers: Vec::new(),
    };
    let report = conform::run_on(&mut reference, settings, members, scratch, observer)?;
    Ok(GoldenReport {
        model: goldens.model.clone(),
        writer: goldens.writer.clone(),
        report,
        standings: reference.standings,
        coded: reference.coded,
        containers: reference.containers,
    })
}

struct AgainstGoldens<'a> {
    goldens: &'a Goldens,
    standings: Vec<Standing>,
    coded: Vec<CodedEntry>,
    containers: Vec<ContainerComparison>,
}

impl Reference for AgainstGoldens<'_> {
    fn judge(
        &mut self,
        settings: &Settings,
        target: &Target,
        collected: &[Collected],
        fingerprints: &[Fingerprint],
        report: &mut Report,
    ) -> Result<()> {
        let Some(golden) = self.goldens.find(target) else {
            return Ok(());
        };
        check_answers(settings, target, Some(&golden.answers), collected, report);
        let activations = golden
            .answers
            .inspect
            .as_ref()
            .map_or(Activations::Float32, activations);
        let loaded = collected
            .iter()
            .zip(fingerprints)
            .filter(|(answers, _)| answers.load.is_some());
        for (answers, fingerprint) in loaded {
            let class = PairClass::of(
                activations,
                &self.goldens.writer.fingerprint,
                &on_this_machine(fingerprint),
            );
            self.standings.push(Standing {
                model: golden.target.clone(),
                runner: answers.runner.clone(),
                class,
                tolerance: settings.classes.tolerance(class, activations),
            });
            self.judge_coded(golden, answers, report, |stats| {
                settings.classes.judge_coded(class, activations, stats)
            })?;
            self.judge_containers(golden, answers, class, report);
        }
        Ok(())
    }

    fn writers<'b>(&'b self, target: &Target, _: &'b [Collected]) -> &'b [Collected] {
        self.goldens
            .find(target)
            .map_or(&[], |golden| std::slice::from_ref(&golden.answers))
    }
}

impl AgainstGoldens<'_> {
    fn judge_coded(
        &mut self,
        golden: &Recorded,
        answers: &Collected,
        report: &mut Report,
        judge: impl Fn(&CodedStats) -> PairVerdict,
    ) -> Result<()> {
        if answers.ids != golden.answers.ids {
            // Log-probs of other tokens have nothing to be held to; that the tokens differ is a failed check.
            return Ok(());
        }
        for (plan, expected) in &golden.coded {
            let Some(rows) = answers.rows.get(plan) else {
                continue;
            };
            let stats = compare_coded(expected, &rows.coded)?;
            let verdict = judge(&stats);
            let ok = verdict != PairVerdict::Diverged;
            report.checks.push(CheckEntry {
                model: golden.target.clone(),
                name: format!("log-probs {plan}"),
                runner: answers.runner.clone(),
                ok,
                detail: if ok { String::new() } else { divergence(&stats) },
            });
            self.coded.push(CodedEntry {
                model: golden.target.clone(),
                runner: answers.runner.clone(),
                plan,
                stats,
                verdict,
            });
        }
        Ok(())
    }

    /// The same build writes the same bytes; any other must merely read them.
    fn judge_containers(&mut self, golden: &Recorded, answers: &Collected, class: PairClass, report: &mut Report) {
        for (input, written) in &answers.containers {
            let Some(expected) = golden.answers.containers.get(input) else {
                continue;
            };
            let equal = written.sha256 == expected.sha256;
            if matches!(class, PairClass::Exact | PairClass::SameBuild) {
                let detail = format!(
                    "{} bytes with the SHA-256 {}, the golden has {} with {}",
                    written.result.container_bytes, written.sha256, expected.result.container_bytes, expected.sha256
                );
                report.checks.push(CheckEntry {
                    model: golden.target.clone(),
                    name: format!("container of {input}"),
                    runner: answers.runner.clone(),
                    ok: equal,
                    detail: if equal { String::new() } else { detail },
                });
            }
            self.containers.push(ContainerComparison {
                model: golden.target.clone(),
                runner: answers.runner.clone(),
                input: input.clone(),
                equal,
            });
        }
    }
}

/// A language that cannot tell the CPU's features runs on the CPU that this process runs on.
fn on_this_machine(fingerprint: &Fingerprint) -> Fingerprint {
    let mut fingerprint = fingerprint.clone();
    let here = Fingerprint::of_process();
    if fingerprint.cpu_features.is_empty() && fingerprint.arch == here.arch {
        fingerprint.cpu_features = here.cpu_features;
    }
    fingerprint
}

fn divergence(stats: &CodedStats) -> String {
    let mut words = format!("{} of {} differ", stats.positions - stats.identical, stats.positions);
    if let Some(first) = stats.first {
        words += &format!(", first at token {first}");
    }
    if let Some(worst) = stats.worst {
        words += &format!(", most at token {worst}: by {:.1e}", stats.max_abs);
    }
    for (whose, count) in [("golden", stats.left_not_finite), ("found", stats.right_not_finite)] {
        if count > 0 {
            words += &format!("; {count} {whose} values are not finite");
        }
    }
    words
}
