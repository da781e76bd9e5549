//! Owns the plans that are compared, and which of them may be laid against each other. It asks nobody.

use crate::runner::protocol::PlanParams;

/// The plans that are compared: FORMAT.md, section 4.
pub const PLANS: [(&str, PlanParams); 3] = [
    ("prefill", PlanParams { lanes: 1, chunk: 128 }),
    ("step", PlanParams { lanes: 1, chunk: 1 }),
    ("lanes", PlanParams { lanes: 8, chunk: 1 }),
];

/// Further plans for exact graphs, whose rows must not depend on the plan.
pub const EXACT_PLANS: [(&str, PlanParams); 2] = [
    ("chunks", PlanParams { lanes: 1, chunk: 16 }),
    ("lanes-prefill", PlanParams { lanes: 8, chunk: 32 }),
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
