//! Owns the laying side by side of what runners answered before anything was decoded: tokens, graph views and rows.

use super::collect::Collected;
use super::{Settings, Target, comparable_plans, plans};
use crate::Result;
use crate::compare::classes::{Activations, PairClass, PairVerdict};
use crate::compare::stats::{Side, compare};
use crate::report::{CheckEntry, PairEntry, Report};
use crate::runner::protocol::{Fingerprint, InspectResult};

/// Adds the pairs and checks of one model to the report. `fingerprints` are the runners', in the order of `collected`.
///
/// # Errors
/// `io` or `runner` when rows cannot be read.
pub fn judge(
    settings: &Settings,
    target: &Target,
    collected: &[Collected],
    fingerprints: &[Fingerprint],
    report: &mut Report,
) -> Result<()> {
    check_answers(settings, target, None, collected, report);
    let activations = collected
        .iter()
        .find_map(|c| c.inspect.as_ref())
        .map_or(Activations::Float32, activations);
    for (index, left) in collected.iter().enumerate() {
        let answered = |(first, second): &(&str, &str)| left.rows.contains_key(first) && left.rows.contains_key(second);
        for (first, second) in comparable_plans().filter(answered) {
            let names = (left.runner.clone(), left.runner.clone(), format!("{first} ~ {second}"));
            let pair = Pair {
                left,
                right: left,
                plans: (first, second),
                class: PairClass::of_plans(activations),
                names,
            };
            report
                .pairs
                .push(pair.measure(settings, target, activations, Vec::new())?);
        }
        for (right, right_print) in collected.iter().zip(fingerprints).skip(index + 1) {
            if left.ids != right.ids {
                continue;
            }
            let left_print = &fingerprints[index];
            let shared = |plan: &&str| left.rows.contains_key(*plan) && right.rows.contains_key(*plan);
            for plan in plans(true).map(|(name, _)| name).filter(shared) {
                let names = (left.runner.clone(), right.runner.clone(), plan.to_owned());
                let class = PairClass::of(activations, left_print, right_print);
                let pair = Pair {
                    left,
                    right,
                    plans: (plan, plan),
                    class,
                    names,
                };
                let differences = differences(left_print, right_print);
                report
                    .pairs
                    .push(pair.measure(settings, target, activations, differences)?);
            }
        }
    }
    Ok(())
}

struct Pair<'a> {
    left: &'a Collected,
    right: &'a Collected,
    plans: (&'a str, &'a str),
    class: PairClass,
    names: (String, String, String),
}

impl Pair<'_> {
    fn measure(
        self,
        settings: &Settings,
        target: &Target,
        activations: Activations,
        differences: Vec<String>,
    ) -> Result<PairEntry> {
        let (left, right) = (&self.left.rows[self.plans.0], &self.right.rows[self.plans.1]);
        let stats = compare(
            Side {
                rows: &left.rows,
                coded: &left.coded,
            },
            Side {
                rows: &right.rows,
                coded: &right.coded,
            },
        )?;
        let verdict = settings.classes.judge(self.class, activations, &stats);
        let mut notes = Vec::new();
        if verdict == PairVerdict::Within && settings.classes.expects_bit_exact(self.class) {
            notes.push(format!(
                "the same bits were expected: {}",
                settings.classes.reason(self.class)
            ));
        }
        if verdict == PairVerdict::Diverged || !notes.is_empty() {
            notes.extend(differences);
        }
        let (left, right, plan) = self.names;
        Ok(PairEntry {
            model: target.name.clone(),
            left,
            right,
            plan,
            class: self.class,
            tolerance: settings.classes.tolerance(self.class, activations),
            stats,
            verdict,
            notes,
        })
    }
}

/// By what the graph says of itself, else by the type of the cache: a graph that keeps 16-bit keys and values computes in 16 bits.
pub(crate) fn activations(graph: &InspectResult) -> Activations {
    let half = graph
        .inputs
        .iter()
        .any(|input| input.name.starts_with("past_key_values.") && input.element.ends_with("float16"));
    if graph.exactness.exact {
        Activations::Exact
    } else if half {
        Activations::Float16
    } else {
        Activations::Float32
    }
}

/// What differs between two environments, beyond the language.
fn differences(left: &Fingerprint, right: &Fingerprint) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    let fields = [
        ("runtime", text(&left.runtime), text(&right.runtime)),
        (
            "runtime version",
            text(&left.runtime_version),
            text(&right.runtime_version),
        ),
        ("provider", text(&left.provider), text(&right.provider)),
        ("threads", format!("{:?}", left.threads), format!("{:?}", right.threads)),
        (
            "graph optimisation",
            format!("{:?}", left.graph_optimization),
            format!("{:?}", right.graph_optimization),
        ),
        ("system", text(&left.os), text(&right.os)),
        ("architecture", text(&left.arch), text(&right.arch)),
        (
            "CPU features",
            left.cpu_features.join(" "),
            right.cpu_features.join(" "),
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, left, right)| left != right)
        .map(|(name, left, right)| format!("{name} differs: {left} and {right}"))
        .collect()
}

/// Adds what must be equal: tokens and graph views with those of `reference`, or of the first runner that has them, and the
/// sequence that a runner's own tokens stand for.
pub(crate) fn check_answers(
    settings: &Settings,
    target: &Target,
    reference: Option<&Collected>,
    collected: &[Collected],
    report: &mut Report,
) {
    let mut check = |runner: &str, name: &str, ok: bool, detail: String| {
        report.checks.push(CheckEntry {
            model: target.name.clone(),
            name: name.to_owned(),
            runner: runner.to_owned(),
            ok,
            detail: if ok { String::new() } else { detail },
        });
    };
    let mut witnesses = reference.into_iter().chain(collected);
    let first_ids = witnesses
        .clone()
        .find_map(|c| c.ids.as_ref().map(|ids| (&c.runner, ids)));
    let first_view = witnesses.find_map(|c| c.inspect.as_ref().map(|view| (&c.runner, view)));
    for answers in collected {
        if let (Some((first, expected)), Some(ids)) = (first_ids, &answers.ids) {
            let place = ids
                .iter()
                .zip(expected)
                .position(|(a, b)| a != b)
                .unwrap_or(ids.len().min(expected.len()));
            let detail = format!(
                "{} tokens, {first} has {}; they differ from token {place} on",
                ids.len(),
                expected.len()
            );
            check(&answers.runner, "tokens", ids == expected, detail);
        }
        if let Some(text) = &answers.text {
            let ok = text.as_bytes() == settings.sequence.bytes;
            let detail = format!(
                "{} bytes of the sequence came back as {} others",
                settings.sequence.bytes.len(),
                text.len()
            );
            check(&answers.runner, "detokenize", ok, detail);
        }
        if let (Some((first, expected)), Some(view)) = (first_view, &answers.inspect) {
            let parts = [
                ("inputs", view.inputs == expected.inputs),
                ("outputs", view.outputs == expected.outputs),
                ("opset", view.opset == expected.opset),
                ("ops", view.ops == expected.ops),
                ("exactness", view.exactness.exact == expected.exactness.exact),
                ("batch policy", view.batch_policy.batch == expected.batch_policy.batch),
            ];
            let wrong: Vec<&str> = parts.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
            let detail = format!("{} differ from {first}'s view", wrong.join(", "));
            check(&answers.runner, "graph view", wrong.is_empty(), detail);
        }
    }
}
