//! Owns `llmzip runner`: this program as a runner on stdin and stdout.

use std::io::BufReader;

use super::args::{RunnerArguments, RunnerEngine};
use super::runners::{OWN_INFERENCE, WITNESS};
use crate::Result;
use crate::model::loaded::Engine;
use crate::runner::operations::Operations;
use crate::runner::serve::{serve, take_stdout};
use crate::setup::{self, Layout};
use crate::stdio::InterruptibleStdin;

/// Answers requests until `bye` or the end of stdin.
pub fn run(arguments: &RunnerArguments) -> Result<u8> {
    // Before any library is loaded: what one prints must not reach the replies.
    let replies = take_stdout()?;
    let (name, engine) = match arguments.engine {
        RunnerEngine::Onnxruntime => {
            let library = setup::find_onnxruntime(&Layout::find()?)?;
            (OWN_INFERENCE, Engine::OnnxRuntime(library))
        }
        RunnerEngine::Rten => (WITNESS, Engine::Rten),
    };
    let requests = BufReader::new(InterruptibleStdin::open());
    serve(&mut Operations::new(name, engine), requests, replies)?;
    Ok(0)
}
