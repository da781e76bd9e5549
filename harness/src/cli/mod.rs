//! Owns the command line: arguments, what is printed where, progress bars and exit codes. stdout is data, stderr is talk. No
//! command does its work here; each calls the module that does.

mod args;
mod bench;
mod conform;
mod doctor;
mod golden;
mod graphs;
mod handover;
mod info;
mod inspect;
mod model;
mod models;
mod output;
mod places;
mod progress;
mod runner;
mod runners;
mod serve;
mod setup;
mod smoke;
mod targets;
mod telemetry;
mod tokenizers;
mod transfer;

use std::process::ExitCode;

use clap::Parser;

use crate::{Error, interrupt};
use args::{Arguments, Command};
use output::Output;

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap knows which of its messages is data (help, version) and which is talk.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    telemetry::disable_telemetry();
    let output = Output::new(arguments.quiet);
    let result = interrupt::listen().and_then(|()| run(&arguments, &output));
    match result {
        Ok(code) => ExitCode::from(code),
        // Once the end was asked for, what fails fails because of it.
        Err(error) => fail(&output, &interrupt::check().err().unwrap_or(error)),
    }
}

fn fail(output: &Output, error: &Error) -> ExitCode {
    output.error(&format!("error[{}]: {}", error.code.name(), error.message));
    if !error.hint.is_empty() {
        output.error(&format!("hint: {}", error.hint));
    }
    ExitCode::from(error.code.exit_code())
}

fn run(arguments: &Arguments, output: &Output) -> crate::Result<u8> {
    match &arguments.command {
        Command::Compress(options) => transfer::compress(options, output),
        Command::Decompress(options) => transfer::decompress(options, output),
        Command::Info(options) => info::run(options, output),
        Command::Inspect(options) => inspect::run(options, output),
        Command::Conform(options) => conform::run(options, output),
        Command::Tokenizers(options) => tokenizers::run(options, output),
        Command::Bench(options) => bench::run(options, output),
        Command::Golden(options) => golden::run(options, output),
        Command::Models(options) => models::run(options, output),
        Command::Quantize(words) => graphs::run("quantize", words, output),
        Command::Exact(words) => graphs::run("exact", words, output),
        Command::Serve(options) => serve::run(options, output),
        Command::Setup(options) => setup::run(options, output),
        Command::Doctor => doctor::run(output),
        Command::Runner(options) => runner::run(options),
        Command::Smoke(options) => smoke::run(options, output),
    }
}

/// Whether `words`, which come after the program's name, are a command line of this program. Tests hold documents to it.
///
/// # Errors
/// What the parser says of them.
pub fn parses(words: &[String]) -> Result<(), String> {
    let program = std::iter::once("llmzip");
    Arguments::try_parse_from(program.chain(words.iter().map(String::as_str)))
        .map(drop)
        .map_err(|error| error.to_string())
}
