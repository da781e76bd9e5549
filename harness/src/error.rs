//! Owns the crate's error type, its codes and their mapping to exit codes. Everything that can fail for a reason a user can
//! act on ends here; nothing else decides about exit codes.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing failed. The names are those of PROTOCOL.md and mean the same in all three languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request or the command line is wrong.
    Usage,
    /// Something that must be installed or present is not, or a manifest cannot be used.
    Setup,
    /// A file could not be read or written.
    Io,
    /// A SHA-256 is not the expected one.
    Integrity,
    /// Model and tokenizer do not belong together.
    Vocabulary,
    /// A container is damaged, or not one.
    Format,
    /// An intact container decodes to wrong bytes: this runtime lies further than eps from the writer's.
    Divergence,
    /// The graph, `config.json` or `tokenizer.json` cannot be used, or logits are not finite.
    Model,
    /// The runner does not do this.
    Unsupported,
    /// The user, or the system, asked for the end.
    Interrupted,
    /// A runner died, hung or broke the protocol.
    Runner,
    /// Anything else; a defect.
    Internal,
}

impl ErrorCode {
    /// The process exit code documented in README.md.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Io | Self::Format | Self::Divergence | Self::Model | Self::Unsupported => 1,
            Self::Usage => 2,
            Self::Setup => 3,
            Self::Integrity | Self::Vocabulary => 4,
            Self::Runner => 5,
            Self::Internal => 70,
            Self::Interrupted => 130,
        }
    }

    /// The code's name as it travels in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Setup => "setup",
            Self::Io => "io",
            Self::Integrity => "integrity",
            Self::Vocabulary => "vocabulary",
            Self::Format => "format",
            Self::Divergence => "divergence",
            Self::Model => "model",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
            Self::Runner => "runner",
            Self::Internal => "internal",
        }
    }
}

/// An error that says what failed, on what, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Error {
    /// What kind of thing failed.
    pub code: ErrorCode,
    /// What failed, and on what.
    pub message: String,
    /// What to do next; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl Error {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// A file that could not be read, written or made.
    pub fn io(doing: &str, path: &Path, source: &std::io::Error) -> Self {
        Self::new(ErrorCode::Io, format!("cannot {doing} {}: {source}", path.display()))
    }

    /// A damaged container.
    pub fn format(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Format, message)
            .with_hint("the container is damaged or was not written by LLMzip; get a fresh copy of it")
    }
}
