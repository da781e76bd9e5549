//! Owns `llmzip doctor`.

use std::fmt::Write as _;

use super::output::Output;
use crate::setup::{self, Layout};
use crate::{ErrorCode, Result};

/// Prints every finding; fails when something is missing that is needed.
pub fn run(output: &Output) -> Result<u8> {
    let layout = Layout::find()?;
    let mut text = String::new();
    let mut missing = false;
    for finding in setup::examine(&layout) {
        let (mark, state) = match &finding.state {
            Ok(state) => ("ok", state),
            Err(state) => {
                missing |= finding.is_needed;
                (if finding.is_needed { "missing" } else { "optional" }, state)
            }
        };
        let _ = writeln!(
            text,
            "{mark:<8} {:<20} {}",
            finding.name,
            state.replace('\n', "\n                              ")
        );
    }
    output.data(&text)?;
    Ok(if missing { ErrorCode::Setup.exit_code() } else { 0 })
}
