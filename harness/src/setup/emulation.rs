//! Owns what an emulated processor needs on the machine: qemu-user, and for another architecture a Python of that architecture
//! with its packages. It installs nothing (`ci/prepare_emulation.py` does) and starts nothing.

use std::path::PathBuf;

use super::layout::Layout;
use super::python::{self, Packages};
use super::{Narrator, environment};
use crate::{Error, ErrorCode, Result};

/// A processor that qemu-user puts under the Python runner.
#[derive(Debug)]
pub struct EmulatedCpu {
    /// The name it goes by.
    pub name: &'static str,
    /// The emulator of its architecture.
    emulator: &'static str,
    /// The emulator's name for it.
    model: &'static str,
    /// The Python that runs on it.
    python: Python,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Python {
    /// That of the Python runner's environment.
    Environment,
    /// One of its own, in a folder of the processor's name.
    Own,
}

/// The processors that can be emulated: one with AVX2 and nothing later, one with SSE4.2 and no AVX, one of 64-bit Arm.
pub const EMULATED_CPUS: [EmulatedCpu; 3] = [
    EmulatedCpu {
        name: "haswell",
        emulator: "qemu-x86_64",
        model: "Haswell",
        python: Python::Environment,
    },
    EmulatedCpu {
        name: "nehalem",
        emulator: "qemu-x86_64",
        model: "Nehalem",
        python: Python::Environment,
    },
    EmulatedCpu {
        name: "aarch64",
        emulator: "qemu-aarch64",
        model: "neoverse-n1",
        python: Python::Own,
    },
];

/// A variable that tells numpy's BLAS which processor to take the machine for: what is right for the host is wrong here.
const HOST_VARIABLE: &str = "OPENBLAS_CORETYPE";

/// How Python is started on an emulated processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatedPython {
    /// The emulator.
    pub program: PathBuf,
    /// The emulator's words, the last of which is the Python to run.
    pub args: Vec<String>,
    /// A folder of Python packages that this Python does not find by itself.
    pub packages: Option<PathBuf>,
}

impl EmulatedCpu {
    /// Finds the emulator and the Python for it; an x86-64 Python is the environment's, which is made where it is missing.
    ///
    /// # Errors
    /// `setup` when something is missing.
    pub fn python(&self, layout: &Layout, narrator: &mut dyn Narrator) -> Result<EmulatedPython> {
        let missing = |what: String| {
            Error::new(ErrorCode::Setup, format!("{what}; {} gets it", self.preparation()))
                .with_hint(format!("run `{}`", self.preparation()))
        };
        if !cfg!(target_os = "linux") {
            return Err(Error::new(
                ErrorCode::Setup,
                format!("{} runs on Linux alone", self.emulator),
            ));
        }
        let program =
            which::which(self.emulator).map_err(|_| missing(format!("{} is not on the PATH", self.emulator)))?;
        let mut args = ["-cpu", self.model, "-U", HOST_VARIABLE].map(str::to_owned).to_vec();
        if self.python == Python::Environment {
            if !cfg!(target_arch = "x86_64") {
                let (emulator, arch) = (self.emulator, std::env::consts::ARCH);
                let what = format!("{emulator} needs a Python of x86-64, and the environment's is of {arch}");
                return Err(Error::new(ErrorCode::Setup, what));
            }
            let python = python::prepare(layout, Packages::Runtime, narrator)?;
            args.push(python.display().to_string());
            return Ok(EmulatedPython {
                program,
                args,
                packages: None,
            });
        }
        let folder = layout.emulation().join(self.name);
        let lock = python::lock(layout, Packages::Runtime);
        if !folder.is_dir() || !environment::is_current(&folder, &lock)? {
            return Err(missing(format!(
                "the Python of {} is missing or out of date",
                self.name
            )));
        }
        let root = folder.join("root");
        let python = root.join("usr").join("bin").join("python3.11");
        args.extend([
            "-L".to_owned(),
            root.display().to_string(),
            python.display().to_string(),
        ]);
        Ok(EmulatedPython {
            program,
            args,
            packages: Some(folder.join("packages")),
        })
    }

    /// What gets everything that is missing.
    fn preparation(&self) -> String {
        format!("python3 ci/prepare_emulation.py {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_prepares_what_can_be_emulated() {
        let script = include_str!("../../../ci/prepare_emulation.py");
        let listed: Vec<String> = EMULATED_CPUS
            .iter()
            .map(|cpu| format!("\"{}\": \"{}\"", cpu.name, cpu.emulator))
            .collect();
        assert!(script.contains(&format!("EMULATORS = {{{}}}\n", listed.join(", "))));
        assert!(script.contains("\nPYTHON = \"python3.11\"\n"));
    }
}
