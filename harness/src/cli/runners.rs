//! Owns which runners take part in a run, and starts them; with which command is that of `commands`.

mod commands;

pub use commands::parse_command;

use super::args::ConformArguments;
use crate::conform::Member;
use crate::model::loaded::Engine;
use crate::runner::Runner;
use crate::runner::in_process::InProcessRunner;
use crate::runner::process::{CommandSpec, ProcessRunner, Timeouts};
use crate::setup::{self, EMULATED_CPUS, EmulatedCpu, Layout, Narrator, Packages};
use crate::{Error, ErrorCode, Result};

use commands::{added, browser, node, python, python_runner, this_program};

/// The runners that are there without being added.
const BUILT_IN: [&str; 6] = [OWN_INFERENCE, WITNESS, "python", "node", BROWSER_WASM, BROWSER_WEBGPU];
/// Our own inference in ONNX Runtime, in this process.
pub const OWN_INFERENCE: &str = "rust";
/// Our own inference in an engine that shares no code with ONNX Runtime; it runs exact graphs only, in a process of its own: two engines
/// in one process would hold every model twice.
pub const WITNESS: &str = "rust-rten";
/// The JavaScript core in a page of Chromium, with ONNX Runtime in WebAssembly; it takes part wherever a Chromium is found.
pub const BROWSER_WASM: &str = "browser-wasm";
/// The same with ONNX Runtime's WebGPU provider, in software where there is no graphics processor, which is very slow: it takes part only
/// where it is named.
pub const BROWSER_WEBGPU: &str = "browser-webgpu";
/// Those that must take part, as far as they are chosen, unless others are named.
const REQUIRED: [&str; 3] = [OWN_INFERENCE, "python", "node"];
/// How many times as long as another runner an emulated one is waited for.
const EMULATED_PATIENCE: u32 = 10;
/// How many times as long as for another runner one is waited for whose graphics processor may be software.
const SOFTWARE_PATIENCE: u32 = 10;
/// The execution provider that the runner on WebGPU is asked for, whatever the others are.
const WEBGPU: &str = "webgpu";

/// The runners that were asked for, started.
///
/// # Errors
/// `usage` for a name that is no runner, `setup` for a required runner that cannot take part.
pub fn members(
    arguments: &ConformArguments,
    layout: &Layout,
    timeouts: Timeouts,
    narrator: &mut dyn Narrator,
) -> Result<Vec<Member>> {
    let mut names: Vec<String> = BUILT_IN.iter().map(ToString::to_string).collect();
    let emulated = asked_to_emulate(arguments);
    names.extend(emulated.iter().map(|cpu| emulated_name(cpu)));
    let added = join_added(&mut names, &arguments.only, &arguments.runner)?;
    check_names("--require", &arguments.require, &names)?;
    let required = required(arguments);
    if let Some(name) = required.iter().find(|name| !is_chosen(arguments, name)) {
        return Err(Error::new(
            ErrorCode::Usage,
            format!("--require {name}: --only leaves this runner out"),
        )
        .with_hint("name it with --only too, or do not require it"));
    }
    let mut members = Vec::new();
    for name in names.iter().filter(|name| is_chosen(arguments, name)) {
        let is_required = required.contains(name);
        let started = match added.iter().find(|(added, _)| added == name) {
            Some((_, command)) => match start(name, command, timeouts) {
                // Who names a runner means it to run.
                Err(error) if !is_required => Ok(Member::Failed {
                    name: name.clone(),
                    error,
                }),
                started => started,
            },
            None => match emulated.iter().find(|cpu| emulated_name(cpu) == *name) {
                Some(cpu) => start_emulated(name, cpu, layout, timeouts, narrator),
                None => built_in(name, layout, timeouts, narrator),
            },
        };
        members.push(member(name, started, is_required)?);
    }
    Ok(members)
}

/// The processors to emulate of which the runner is chosen.
pub fn emulated(arguments: &ConformArguments) -> Vec<&'static EmulatedCpu> {
    let mut cpus = asked_to_emulate(arguments);
    cpus.retain(|cpu| is_chosen(arguments, &emulated_name(cpu)));
    cpus
}

fn asked_to_emulate(arguments: &ConformArguments) -> Vec<&'static EmulatedCpu> {
    let is_asked = |cpu: &&EmulatedCpu| arguments.emulate.iter().any(|name| name == cpu.name);
    EMULATED_CPUS.iter().filter(is_asked).collect()
}

fn emulated_name(cpu: &EmulatedCpu) -> String {
    format!("python-{}", cpu.name)
}

/// The names of the runners that must take part.
pub fn required(arguments: &ConformArguments) -> Vec<String> {
    if !arguments.require.is_empty() {
        return arguments.require.clone();
    }
    let names = REQUIRED.iter().filter(|name| is_chosen(arguments, name));
    names.map(ToString::to_string).collect()
}

fn is_chosen(arguments: &ConformArguments, name: &str) -> bool {
    if arguments.only.is_empty() {
        return name != BROWSER_WEBGPU || arguments.require.iter().any(|required| required == name);
    }
    arguments.only.iter().any(|only| only == name)
}

/// Whether the runner on WebGPU is asked for.
pub fn is_webgpu_chosen(arguments: &ConformArguments) -> bool {
    is_chosen(arguments, BROWSER_WEBGPU)
}

/// Runners that are there without being added, each of which must take part; `flag` is the option that names them.
///
/// # Errors
/// `usage` for a name that is no such runner, `setup` for one that cannot take part.
pub fn named(
    flag: &str,
    names: &[String],
    layout: &Layout,
    timeouts: Timeouts,
    narrator: &mut dyn Narrator,
) -> Result<Vec<Member>> {
    check_names(flag, names, &BUILT_IN.map(str::to_owned))?;
    let mut members = Vec::new();
    for name in BUILT_IN
        .iter()
        .filter(|name| names.iter().any(|wanted| wanted == *name))
    {
        members.push(member(name, built_in(name, layout, timeouts, narrator), true)?);
    }
    Ok(members)
}

/// Runners that `--only` names, and those that were added, which it may name too; each must take part.
///
/// # Errors
/// `usage` for a name that is no runner, `setup` for one that cannot take part.
pub fn chosen(
    only: &[String],
    commands: &[String],
    layout: &Layout,
    timeouts: Timeouts,
    narrator: &mut dyn Narrator,
) -> Result<Vec<Member>> {
    let added = beside_built_in(only, commands)?;
    let mut built_in: Vec<String> = only.to_vec();
    built_in.retain(|name| !added.iter().any(|(added, _)| added == name));
    let mut members = named("--only", &built_in, layout, timeouts, narrator)?;
    for (name, command) in &added {
        members.push(start(name, command, timeouts)?);
    }
    Ok(members)
}

/// Runners that were added, each with what starts it, `--only` naming no others than these and those that are there without.
///
/// # Errors
/// `usage` for a name that is no runner, and for what adds none.
pub fn beside_built_in(only: &[String], commands: &[String]) -> Result<Vec<(String, CommandSpec)>> {
    join_added(&mut BUILT_IN.map(str::to_owned).to_vec(), only, commands)
}

/// Runners that were added, whose names join `names`; `only` may name all of these.
fn join_added(names: &mut Vec<String>, only: &[String], commands: &[String]) -> Result<Vec<(String, CommandSpec)>> {
    let added = added(commands, names)?;
    names.extend(added.iter().map(|(name, _)| name.clone()));
    check_names("--only", only, names)?;
    Ok(added)
}

/// A runner that is there without being added, or is one of `added`, in a process of its own.
///
/// # Errors
/// `setup` where it cannot take part, and what else keeps it from starting.
pub fn alone(
    name: &str,
    added: &[(String, CommandSpec)],
    layout: &Layout,
    timeouts: Timeouts,
    narrator: &mut dyn Narrator,
) -> Result<Box<dyn Runner>> {
    let started = if let Some((_, command)) = added.iter().find(|(added, _)| added == name) {
        start(name, command, timeouts)
    } else if name == OWN_INFERENCE {
        setup::prepare_python(layout, Packages::Runtime, narrator)?;
        start(name, &this_program("onnxruntime")?, timeouts)
    } else {
        built_in(name, layout, timeouts, narrator)
    };
    match started? {
        Member::Ready(runner) => Ok(runner),
        Member::Skipped { reason, .. } => Err(Error::new(ErrorCode::Setup, reason)),
        Member::Failed { error, .. } => Err(error),
    }
}

/// What became of a runner's start.
fn member(name: &str, started: Result<Member>, required: bool) -> Result<Member> {
    let name = name.to_owned();
    match started {
        Err(error) if error.code == ErrorCode::Setup && required => Err(error),
        Err(error) if error.code == ErrorCode::Setup => Ok(Member::Skipped {
            name,
            reason: error.message,
        }),
        Err(error) => Ok(Member::Failed { name, error }),
        started => started,
    }
}

fn built_in(name: &str, layout: &Layout, timeouts: Timeouts, narrator: &mut dyn Narrator) -> Result<Member> {
    match name {
        WITNESS => start(name, &this_program("rten")?, timeouts),
        "python" => start(name, &python(layout, narrator)?, timeouts),
        "node" => start(name, &node(layout, &[], narrator)?, timeouts),
        BROWSER_WASM => start(name, &browser(layout, "wasm", narrator)?, timeouts),
        BROWSER_WEBGPU => {
            let command = browser(layout, "webgpu", narrator)?;
            let patience = Timeouts {
                request: timeouts.request.saturating_mul(SOFTWARE_PATIENCE),
                ..timeouts
            };
            let runner = ProcessRunner::start(name, &command, patience)?.with_provider(WEBGPU);
            Ok(Member::Ready(Box::new(runner)))
        }
        _ => {
            // The library comes with the Python packages, so that both run the same build.
            setup::prepare_python(layout, Packages::Runtime, narrator)?;
            let engine = Engine::OnnxRuntime(setup::find_onnxruntime(layout)?);
            Ok(Member::Ready(Box::new(InProcessRunner::new(name, engine))))
        }
    }
}

fn start(name: &str, command: &CommandSpec, timeouts: Timeouts) -> Result<Member> {
    Ok(Member::Ready(Box::new(ProcessRunner::start(name, command, timeouts)?)))
}

/// Starts the Python runner on an emulated processor.
fn start_emulated(
    name: &str,
    cpu: &EmulatedCpu,
    layout: &Layout,
    timeouts: Timeouts,
    narrator: &mut dyn Narrator,
) -> Result<Member> {
    let python = cpu.python(layout, narrator)?;
    let packages = python.packages.into_iter().collect();
    let command = python_runner(layout, python.program, python.args, packages)?;
    let patience = Timeouts {
        load: timeouts.load.saturating_mul(EMULATED_PATIENCE),
        request: timeouts.request.saturating_mul(EMULATED_PATIENCE),
        ..timeouts
    };
    start(name, &command, patience)
}

fn check_names(flag: &str, wanted: &[String], names: &[String]) -> Result<()> {
    match wanted.iter().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(
            Error::new(ErrorCode::Usage, format!("{flag} {name}: there is no such runner"))
                .with_hint(format!("the runners are: {}", names.join(", "))),
        ),
    }
}
