//! Owns the options that say how long a runner is waited for.

use std::time::Duration;

use clap::Args;

use crate::runner::process::Timeouts;
use crate::{Error, ErrorCode, Result};

/// How long a runner is waited for.
#[derive(Debug, Args)]
pub struct TimeoutArguments {
    /// Seconds that a runner may take to load a model.
    #[arg(long, value_name = "SECONDS", default_value_t = Timeouts::default().load.as_secs_f64())]
    load_timeout: f64,
    /// Seconds that a runner may be silent during any other request.
    #[arg(long, value_name = "SECONDS", default_value_t = Timeouts::default().request.as_secs_f64())]
    request_timeout: f64,
}

impl TimeoutArguments {
    /// The time limits.
    ///
    /// # Errors
    /// `usage` for what is no length of time.
    pub fn timeouts(&self) -> Result<Timeouts> {
        Ok(Timeouts {
            load: seconds("--load-timeout", self.load_timeout)?,
            request: seconds("--request-timeout", self.request_timeout)?,
            ..Timeouts::default()
        })
    }
}

/// A length of time that an option gives in seconds; not 0.
pub(super) fn seconds(flag: &str, value: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|limit| !limit.is_zero())
        .ok_or_else(|| {
            Error::new(ErrorCode::Usage, format!("{flag} {value} is no length of time"))
                .with_hint("give seconds, above 0")
        })
}
