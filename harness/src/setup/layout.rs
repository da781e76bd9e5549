//! Owns where things lie in a clone of the project.

use std::env;
use std::path::{Path, PathBuf};

use crate::{Error, ErrorCode, Result};

/// Overrides the search for the project's folder.
pub const ROOT_VARIABLE: &str = "LLMZIP_ROOT";

/// The project's folder and the places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Finds the project: `LLMZIP_ROOT`, the current folder or one above it, or where this binary was built.
    ///
    /// # Errors
    /// `setup` when none of these is a clone of the project.
    pub fn find() -> Result<Self> {
        if let Some(root) = env::var_os(ROOT_VARIABLE) {
            let layout = Self::at(root);
            return if layout.is_project() {
                Ok(layout)
            } else {
                Err(Error::new(
                    ErrorCode::Setup,
                    format!(
                        "{ROOT_VARIABLE} names {}, which is not a clone of LLMzip",
                        layout.root.display()
                    ),
                )
                .with_hint("it must hold models/manifest.toml"))
            };
        }
        let current = env::current_dir().map_err(|source| Error::io("find", Path::new("."), &source))?;
        let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        current
            .ancestors()
            .chain(built)
            .map(Self::at)
            .find(Self::is_project)
            .ok_or_else(|| {
                Error::new(
                    ErrorCode::Setup,
                    format!("no clone of LLMzip at or above {}", current.display()),
                )
                .with_hint(format!("run it inside a clone, or set {ROOT_VARIABLE}"))
            })
    }

    /// The layout of a clone at `root`, looked at or not.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn is_project(&self) -> bool {
        self.manifest().is_file()
    }

    /// The project's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `models/manifest.toml`
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.models().join("manifest.toml")
    }

    /// `models/`
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// `golden/`
    #[must_use]
    pub fn golden(&self) -> PathBuf {
        self.root.join("golden")
    }

    /// `py-runner/`
    #[must_use]
    pub fn py_runner(&self) -> PathBuf {
        self.root.join("py-runner")
    }

    /// `js-runner/`
    #[must_use]
    pub fn js_runner(&self) -> PathBuf {
        self.root.join("js-runner")
    }

    /// `.llmzip/`: what set-up keeps for itself.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(".llmzip")
    }

    /// `.llmzip/emulation/`: what emulated processors run.
    #[must_use]
    pub fn emulation(&self) -> PathBuf {
        self.private().join("emulation")
    }

    /// The Python runner's environment.
    #[must_use]
    pub fn virtual_env(&self) -> PathBuf {
        self.py_runner().join(".venv")
    }
}

/// Python in a virtual environment.
#[must_use]
pub fn venv_executable(environment: &Path, name: &str) -> PathBuf {
    if cfg!(windows) {
        environment.join("Scripts").join(format!("{name}.exe"))
    } else {
        environment.join("bin").join(name)
    }
}
