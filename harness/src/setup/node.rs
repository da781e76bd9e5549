//! Owns the Node runner's packages: `npm ci` from the lock.

use std::path::PathBuf;
use std::process::Command;

use super::layout::Layout;
use super::{Narrator, environment, tools};
use crate::{Error, ErrorCode, Result};

fn lock(layout: &Layout) -> PathBuf {
    layout.js_runner().join("package-lock.json")
}

fn modules(layout: &Layout) -> PathBuf {
    layout.js_runner().join("node_modules")
}

/// Gives Node, after installing the packages where that is needed. All of them, those of the tests too: `npm ci` starts from
/// nothing, so a smaller set would have to be undone for the tests.
pub fn prepare(layout: &Layout, narrator: &mut dyn Narrator) -> Result<PathBuf> {
    let node = tools::node()?;
    if !environment::is_current(&modules(layout), &lock(layout))? {
        let npm = tools::npm()?;
        let mut command = Command::new(npm.path);
        command
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(layout.js_runner());
        environment::install(narrator, "installing the Node packages", &mut command)?;
        environment::mark(&modules(layout), &[&lock(layout)])?;
    }
    Ok(node.path)
}

/// The state of the packages, for `doctor`.
pub fn examine(layout: &Layout) -> Result<String> {
    let modules = modules(layout);
    if environment::is_current(&modules, &lock(layout))? {
        return Ok(format!("up to date ({})", modules.display()));
    }
    Err(Error::new(
        ErrorCode::Setup,
        format!("{} is missing or out of date", modules.display()),
    )
    .with_hint("`cargo run -- setup` makes it; so does `npm ci` in js-runner"))
}
