//! Owns the command that starts each kind of runner. It starts none.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::cli::telemetry::no_telemetry;
use crate::runner::process::CommandSpec;
use crate::setup::{self, Layout, Narrator, Packages};
use crate::{Error, ErrorCode, Result};

/// How this program is started as a runner.
pub fn this_program(engine: &str) -> Result<CommandSpec> {
    let program = std::env::current_exe().map_err(|source| {
        Error::new(ErrorCode::Setup, format!("this program cannot be found: {source}"))
            .with_hint("start it by its path")
    })?;
    Ok(CommandSpec {
        program,
        args: ["runner", "--engine", engine].map(str::to_owned).to_vec(),
        env: vec![no_telemetry()],
    })
}

/// How the Python runner is started in the environment that set-up makes.
pub fn python(layout: &Layout, narrator: &mut dyn Narrator) -> Result<CommandSpec> {
    let program = setup::prepare_python(layout, Packages::Runtime, narrator)?;
    python_runner(layout, program, Vec::new(), Vec::new())
}

/// How the Python runner is started from its sources, by words that run a Python, with folders of packages that this does not find by itself.
pub fn python_runner(
    layout: &Layout,
    program: PathBuf,
    mut args: Vec<String>,
    packages: Vec<PathBuf>,
) -> Result<CommandSpec> {
    // -P: no file of the folder that we are in is taken for a module.
    args.extend(["-P", "-m", "llmzip", "runner"].map(str::to_owned));
    let folders = [vec![layout.py_runner().join("src")], packages].concat();
    let path = std::env::join_paths(&folders).map_err(|source| {
        Error::new(
            ErrorCode::Setup,
            format!("the Python packages cannot be named: {source}"),
        )
        .with_hint("clone LLMzip to a folder without the system's path separator in its name")
    })?;
    let path = path.to_string_lossy().into_owned();
    Ok(CommandSpec {
        program,
        args,
        env: vec![("PYTHONPATH".to_owned(), path), no_telemetry()],
    })
}

/// How the Node runner is started.
pub fn node(layout: &Layout, more: &[&str], narrator: &mut dyn Narrator) -> Result<CommandSpec> {
    let script = layout.js_runner().join("bin").join("llmzip.mjs").display().to_string();
    let words = [script.as_str(), "runner"];
    Ok(CommandSpec {
        program: setup::prepare_node(layout, narrator)?,
        args: words.iter().chain(more).map(ToString::to_string).collect(),
        env: vec![no_telemetry()],
    })
}

/// How the runner in Chromium is started: by Node, which starts the browser.
pub fn browser(layout: &Layout, build: &str, narrator: &mut dyn Narrator) -> Result<CommandSpec> {
    let chromium = setup::find_chromium()?;
    let mut command = node(layout, &["--browser", build], narrator)?;
    // The very one that was found.
    let path = chromium.display().to_string();
    command.env.push((setup::CHROMIUM_VARIABLE.to_owned(), path));
    Ok(command)
}

/// Reads `NAME=COMMAND`; `others` have names already.
pub fn added(runners: &[String], others: &[String]) -> Result<Vec<(String, CommandSpec)>> {
    let mut names: BTreeSet<String> = others.iter().cloned().collect();
    let mut added = Vec::new();
    for runner in runners {
        let wrong = |why: &str| {
            Error::new(ErrorCode::Usage, format!("--runner {runner}: {why}"))
                .with_hint("give a name and a command, such as --runner mine='mine --runner'")
        };
        let (name, command) = runner.split_once('=').ok_or_else(|| wrong("it has no `=`"))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(wrong("the name must be of letters, digits, `-` and `_`"));
        }
        if !names.insert(name.to_owned()) {
            return Err(wrong("a runner of this name is already there"));
        }
        added.push((
            name.to_owned(),
            parse_command(command).ok_or_else(|| wrong("the command cannot be read"))?,
        ));
    }
    Ok(added)
}

/// Reads a command line with a shell's quoting, but without a shell.
pub fn parse_command(command: &str) -> Option<CommandSpec> {
    let mut words = shlex::split(command)?.into_iter();
    let program = PathBuf::from(words.next()?);
    Some(CommandSpec {
        program,
        args: words.collect(),
        env: Vec::new(),
    })
}
