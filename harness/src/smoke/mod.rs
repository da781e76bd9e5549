//! Owns the trial of one runner for its author: every operation of PROTOCOL.md once, each answer checked by itself, without
//! another runner to compare it to. It prints nothing.

mod container;
mod rows;
mod session;

use std::path::Path;

use crate::conform::Target;
use crate::runner::Runner;
use crate::runner::process::ProcessRunner;
use crate::{Error, ErrorCode, Result, interrupt};
use session::Session;

pub use session::Compute;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is right.
    Ok,
    /// The runner does not do it, or an earlier step's answer is missing; with the reason.
    Skipped(String),
    /// The answer is wrong.
    Failed(String),
    /// The runner died, hung or broke the protocol; no step follows.
    Broken(String),
}

/// Why a step did not end well.
enum Trouble {
    Skipped(String),
    Wrong(String),
    Error(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

type StepResult = Result<(), Trouble>;

type Step = fn(&mut Session<'_>) -> StepResult;

/// The steps in their order.
const STEPS: [(&str, Step); 20] = [
    ("hello", session::hello),
    ("load refuses another model's SHA-256", session::load_of_another_model),
    (
        "load refuses another tokenizer's SHA-256",
        session::load_of_another_tokenizer,
    ),
    ("load", session::load),
    ("inspect", session::inspect),
    ("tokenize", session::tokenize),
    ("detokenize", session::detokenize),
    ("logprobs, many inputs in a pass", rows::prefill),
    ("logprobs, token by token", rows::step),
    ("logprobs, token by token is as in a pass", rows::same_in_both_plans),
    ("logprobs, lanes", rows::lanes),
    ("compress", container::compress),
    ("compress the empty file", container::compress_nothing),
    ("decompress", container::decompress),
    ("decompress refuses a container cut short", container::cut_short),
    ("decompress refuses a container with a flipped bit", container::flipped),
    (
        "decompress refuses another model's container",
        container::of_another_model,
    ),
    ("bench", container::bench),
    ("an operation that does not exist", session::unknown_operation),
    ("bye", session::bye),
];

/// Tries `runner` on `target`, computed as `compute` says, with scratch files in `folder`, and tells `on_step` of each step. The runner is stopped when it
/// returns.
///
/// # Errors
/// `interrupted`. What is wrong with the runner is no error but a verdict.
pub fn run(
    runner: &mut ProcessRunner,
    target: &Target,
    compute: &Compute,
    folder: &Path,
    on_step: &mut dyn FnMut(&str, &Verdict) -> Result<()>,
) -> Result<u8> {
    let mut session = Session::new(runner, target, compute, folder);
    let mut exit_code = 0;
    for (name, step) in STEPS {
        let verdict = match step(&mut session) {
            Ok(()) => Verdict::Ok,
            Err(Trouble::Skipped(reason)) => Verdict::Skipped(reason),
            Err(Trouble::Wrong(what)) => Verdict::Failed(what),
            Err(Trouble::Error(error)) if error.code == ErrorCode::Runner => Verdict::Broken(error.message),
            Err(Trouble::Error(error)) => Verdict::Failed(format!("{} ({})", error.message, error.code.name())),
        };
        interrupt::check()?;
        on_step(name, &verdict)?;
        match verdict {
            Verdict::Ok | Verdict::Skipped(_) => {}
            Verdict::Failed(_) => exit_code = 1,
            Verdict::Broken(_) => {
                exit_code = ErrorCode::Runner.exit_code();
                break;
            }
        }
    }
    session.runner.stop();
    Ok(exit_code)
}
