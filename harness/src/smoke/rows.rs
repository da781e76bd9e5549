//! Owns the steps around `logprobs`: the rows of each plan against the log-probs that the runner makes of them.

use super::session::{Session, missing, wrong};
use super::{StepResult, Trouble};
use crate::compare::classes::{Activations, Classes, PairClass, PairVerdict};
use crate::compare::rows::read_coded;
use crate::compare::stats::{Side, compare};
use crate::conform::collect::{PlanRows, plan_rows};
use crate::conform::judge::activations;
use crate::runner::protocol::{Logprobs, PlanParams};

/// Small enough that the text fills several windows.
const WINDOW: u32 = 32;
const OVERLAP: u32 = 8;

/// How far an exp and a log of another library may move a log-prob of the same row.
const ROUNDING: f64 = 1e-9;

pub fn prefill(session: &mut Session<'_>) -> StepResult {
    predict(session, "prefill", PlanParams { lanes: 1, chunk: 16 })
}

pub fn step(session: &mut Session<'_>) -> StepResult {
    predict(session, "step", PlanParams { lanes: 1, chunk: 1 })
}

pub fn lanes(session: &mut Session<'_>) -> StepResult {
    predict(session, "lanes", PlanParams { lanes: 3, chunk: 1 })
}

fn predict(session: &mut Session<'_>, name: &'static str, plan: PlanParams) -> StepResult {
    let vocab_size = session.loaded()?.vocab_size;
    let ids = session.tokens()?.to_vec();
    let file = |kind: &str| session.folder.join(format!("{name}.{kind}"));
    let rows_file = file("rows");
    let request = Logprobs {
        plan,
        start_token: session.target.start_token,
        window: WINDOW,
        overlap: OVERLAP,
        logits_file: file("logits"),
        coded_file: file("coded"),
        rows_file: Some(rows_file.clone()),
        ids,
    };
    let result = session.ask(&request)?;
    let rows = plan_rows(&request, &result, vocab_size)?;
    let own = read_coded(&rows_file, request.ids.len() * vocab_size as usize)?;
    check_log_probs(&rows, &own, &request.ids)?;
    session.rows.insert(name, rows);
    Ok(())
}

/// Holds a runner's own log-probs to its own logits.
fn check_log_probs(rows: &PlanRows, own: &[f64], ids: &[u32]) -> StepResult {
    let mut reader = rows.rows.open()?;
    for (position, (own, &id)) in own.chunks_exact(rows.rows.vocab_size).zip(ids).enumerate() {
        reader.advance()?;
        let logits = reader.logits();
        if logits.iter().any(|logit| !logit.is_finite()) {
            return wrong(format!("row {position} of the logits has a NaN or an infinity"));
        }
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = logits.iter().map(|logit| (logit - max).exp()).sum::<f64>().ln();
        let differs = |token: usize, found: f64| {
            let expected = logits[token] - max - log_sum;
            // Written so that a NaN differs too.
            let within = (found - expected).abs() <= ROUNDING;
            (!within).then(|| format!("row {position}, token {token}: {found} where the logits give {expected}"))
        };
        if let Some(what) = differs(id as usize, rows.coded[position]) {
            return wrong(format!("coded_file, {what}"));
        }
        if let Some(what) = own.iter().enumerate().find_map(|(token, &found)| differs(token, found)) {
            return wrong(format!("rows_file, {what}"));
        }
    }
    Ok(())
}

/// The same tokens from the same contexts, fed in two ways.
pub fn same_in_both_plans(session: &mut Session<'_>) -> StepResult {
    let side = |name: &str| -> Result<Side<'_>, Trouble> {
        let PlanRows { rows, coded } = session.rows.get(name).ok_or_else(|| missing("logprobs"))?;
        Ok(Side { rows, coded })
    };
    let stats = compare(side("prefill")?, side("step")?)?;
    let classes = Classes::built_in()?;
    let activations = session.graph.as_ref().map_or(Activations::Float16, activations);
    let class = PairClass::of_plans(activations);
    if classes.judge(class, activations, &stats) == PairVerdict::Diverged {
        return wrong(format!(
            "log-probs differ by up to {:.3e} between the two, allowed is {:.0e}",
            stats.smallest_tolerance,
            classes.tolerance(class, activations)
        ));
    }
    Ok(())
}
