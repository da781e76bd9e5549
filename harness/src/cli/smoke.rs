//! Owns `llmzip smoke`: which command is tried on which model, and a line for each step.

use super::args::SmokeArguments;

use super::output::Output;
use super::runners::parse_command;
use super::targets::target;
use crate::files::scratch_folder;
use crate::model::provenance::Models;
use crate::report::terminal::printable;
use crate::runner::Runner as _;
use crate::runner::process::{CommandSpec, ProcessRunner};
use crate::setup::Layout;
use crate::smoke::{self, Compute, Verdict};
use crate::{Error, ErrorCode, Result};

/// The runner's name in messages.
const NAME: &str = "on trial";

/// Tries it.
pub fn run(arguments: &SmokeArguments, output: &Output) -> Result<u8> {
    let command = command(&arguments.command)?;
    let models = Models::of_manifest(&Layout::find()?.manifest())?;
    let target = target(models.choose(&arguments.model, arguments.variant.as_deref())?)?;
    let compute = Compute {
        threads: arguments.compute.threads,
        provider: arguments.compute.provider.clone(),
    };
    let scratch = scratch_folder()?;
    let mut runner = ProcessRunner::start(NAME, &command, arguments.timeouts.timeouts()?)?;
    let exit_code = smoke::run(&mut runner, &target, &compute, scratch.path(), &mut |name, verdict| {
        let state = match verdict {
            Verdict::Ok => "ok".to_owned(),
            Verdict::Skipped(reason) => format!("skipped: {reason}"),
            Verdict::Failed(what) | Verdict::Broken(what) => format!("FAILED: {what}"),
        };
        output.data(&format!("{name:<50} {}\n", printable(&state)))
    })?;
    if exit_code != 0 {
        let talk = runner.talk();
        output.error(&format!(
            "the runner's stderr: {}",
            if talk.is_empty() { "empty" } else { &talk }
        ));
    }
    Ok(exit_code)
}

/// The command as words, or as one line with a shell's quoting.
fn command(words: &[String]) -> Result<CommandSpec> {
    let parsed = match words {
        [line] => parse_command(line),
        [program, args @ ..] => Some(CommandSpec {
            program: program.into(),
            args: args.to_vec(),
            env: Vec::new(),
        }),
        [] => None,
    };
    parsed.ok_or_else(|| {
        Error::new(ErrorCode::Usage, "the runner's command cannot be read")
            .with_hint("give it as words, such as `cargo run -- smoke my-runner --flag`")
    })
}
