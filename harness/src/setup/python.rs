//! Owns the Python runner's environment: made by uv from the hash-pinned lock, with uv itself from the PATH or, where it is
//! missing, in a private folder.

use std::path::PathBuf;
use std::process::Command;

use super::layout::{Layout, venv_executable};
use super::{Narrator, environment, tools};
use crate::{Error, ErrorCode, Result};

/// The uv that is installed where none is found.
const UV_REQUIREMENT: &str = "uv==0.13.9";

/// Which packages an environment must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packages {
    /// What the runner needs.
    Runtime,
    /// Also what its tests and checks need.
    Development,
}

/// The lock that says which packages these are.
pub fn lock(layout: &Layout, packages: Packages) -> PathBuf {
    layout.py_runner().join(match packages {
        Packages::Runtime => "requirements.lock",
        Packages::Development => "requirements-dev.lock",
    })
}

fn private_uv(layout: &Layout) -> PathBuf {
    layout.private().join("uv")
}

/// Gives the environment's Python, after making the environment where that is needed. Nothing is ever taken out of it.
pub fn prepare(layout: &Layout, packages: Packages, narrator: &mut dyn Narrator) -> Result<PathBuf> {
    let environment = layout.virtual_env();
    let python = venv_executable(&environment, "python");
    let wanted = lock(layout, packages);
    if python.is_file() && environment::is_current(&environment, &wanted)? {
        return Ok(python);
    }
    let uv = prepare_uv(layout, narrator)?;
    if !python.is_file() {
        let base = tools::python()?;
        let mut command = Command::new(&uv);
        command
            .args(["venv", "--quiet", "--no-project", "--clear", "--python"])
            .arg(base.path)
            .arg(&environment);
        environment::install(narrator, "making the Python environment", &mut command)?;
    }
    let mut command = Command::new(&uv);
    command
        .args(["pip", "install", "--quiet", "--require-hashes", "--python"])
        .arg(&python);
    command.arg("--requirement").arg(&wanted);
    environment::install(narrator, "installing the Python packages", &mut command)?;
    // The development lock holds everything that the runtime lock holds.
    environment::mark(&environment, &[&lock(layout, Packages::Runtime), &wanted])?;
    Ok(python)
}

fn prepare_uv(layout: &Layout, narrator: &mut dyn Narrator) -> Result<PathBuf> {
    if let Ok(uv) = tools::uv() {
        return Ok(uv.path);
    }
    let folder = private_uv(layout);
    let uv = venv_executable(&folder, "uv");
    if tools::version_of(&uv).is_some() {
        return Ok(uv);
    }
    let base = tools::python()?;
    let mut command = Command::new(&base.path);
    command.args(["-m", "venv", "--clear"]).arg(&folder);
    environment::install(narrator, "making a private folder for uv", &mut command)?;
    let mut command = Command::new(venv_executable(&folder, "python"));
    command.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        UV_REQUIREMENT,
    ]);
    environment::install(narrator, "getting uv", &mut command)?;
    Ok(uv)
}

/// Where uv is, for `doctor`.
pub fn examine_uv(layout: &Layout) -> Result<String> {
    tools::uv().map(|tool| tool.describe()).or_else(|error| {
        let private = venv_executable(&private_uv(layout), "uv");
        tools::version_of(&private)
            .map(|version| format!("{version} ({})", private.display()))
            .ok_or(error)
    })
}

/// The state of the environment, for `doctor`.
pub fn examine(layout: &Layout) -> Result<String> {
    let environment = layout.virtual_env();
    let python = venv_executable(&environment, "python");
    if python.is_file() && environment::is_current(&environment, &lock(layout, Packages::Runtime))? {
        return Ok(format!("up to date ({})", environment.display()));
    }
    Err(Error::new(
        ErrorCode::Setup,
        format!("{} is missing or out of date", environment.display()),
    )
    .with_hint("`cargo run -- setup` makes it; so does `uv sync` in py-runner"))
}
