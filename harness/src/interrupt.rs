//! Owns the one flag that says the user, or the system, asked for the end. Long work looks at it; nothing exits by itself.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, ErrorCode, Result};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns Ctrl-C and termination signals into the flag.
///
/// # Errors
/// `internal` when a handler is already set.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot listen for Ctrl-C: {source}")))
}

/// Fails once the end was asked for.
///
/// # Errors
/// `interrupted`.
pub fn check() -> Result<()> {
    if INTERRUPTED.load(Ordering::Relaxed) {
        return Err(Error::new(
            ErrorCode::Interrupted,
            "interrupted; nothing was left half done",
        ));
    }
    Ok(())
}
