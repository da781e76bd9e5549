//! Owns `llmzip runner`: this program as a runner on stdin and stdout.

use std::io::BufReader;

use crate::Result;
use crate::model::loaded::Engine;
use crate::runner::operations::Operations;
use crate::runner::serve::{serve, take_stdout};
use crate::setup::{self, Layout};
use crate::stdio::InterruptibleStdin;

/// The name that `hello` gives.
const NAME: &str = "rust";

/// Answers requests until `bye` or the end of stdin.
pub fn run() -> Result<u8> {
    // Before any library is loaded: what one prints must not reach the replies.
    let replies = take_stdout()?;
    let library = setup::find_onnxruntime(&Layout::find()?)?;
    let requests = BufReader::new(InterruptibleStdin::open());
    serve(
        &mut Operations::new(NAME, Engine::OnnxRuntime(library)),
        requests,
        replies,
    )?;
    Ok(0)
}
