//! Owns the process's stdout and stderr, and whether they are coloured.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::files::OutputFile;
use crate::{Error, Result};

/// Where data and talk go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    quiet: bool,
}

impl Output {
    /// `quiet` silences talk that is not an error.
    #[must_use]
    pub const fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether stdout may be coloured: a terminal, and `NO_COLOR` is not set.
    #[must_use]
    pub fn colour(self) -> bool {
        io::stdout().is_terminal() && no_color().is_none()
    }

    /// Whether it was told to be quiet.
    #[must_use]
    pub const fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether progress may be drawn.
    #[must_use]
    pub fn draws(self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Writes data.
    ///
    /// # Errors
    /// `io` when stdout cannot be written, such as when its reader is gone.
    pub fn data(self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|source| Error::io("write", Path::new("stdout"), &source))
    }

    /// Says something, unless it was told to be quiet.
    pub fn talk(self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Says what went wrong, quiet or not.
    pub fn error(self, text: &str) {
        // Nobody is left to tell when stderr is gone.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn no_color() -> Option<()> {
    env::var_os("NO_COLOR").filter(|value| !value.is_empty()).map(|_| ())
}

/// Writes a file whole or not at all; one that is there is replaced.
///
/// # Errors
/// `io`.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OutputFile::create(path, true)?;
    file.write_all(bytes)
        .map_err(|source| Error::io("write", path, &source))?;
    file.commit()
}
