//! Owns the state of a trial, and its steps around the model: greeting, loading, looking, tokens, parting.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{StepResult, Trouble};
use crate::conform::Target;
use crate::conform::collect::{PlanRows, check_load};
use crate::model::graph::Dimension;
use crate::runner::process::ProcessRunner;
use crate::runner::protocol::{
    Bye, CompressResult, Detokenize, GraphOptimization, Hello, HelloResult, Inspect, InspectResult, Load, LoadResult,
    Operation, Outcome, PROTOCOL_VERSION, Tokenize, why_not_asked,
};
use crate::runner::{RawOutcome, Runner, ask};
use crate::{ErrorCode, Result, interrupt};

/// Digits, words, signs of one to four bytes, and what a tokenizer might want to clean up.
pub const TEXT: &str =
    "1\n2\n3\n98\n99\n100\nOne hundred , isn 't it ?  \r\n\tna\u{ef}ve \u{2014} \u{65e5}\u{672c} \u{1f642}\0";

/// How the runner is told to compute.
#[derive(Clone, Debug)]
pub struct Compute {
    /// Threads inside an operator.
    pub threads: u32,
    /// The execution provider.
    pub provider: String,
}

/// A runner on trial, and what it has answered so far.
pub struct Session<'a> {
    /// The runner.
    pub runner: &'a mut ProcessRunner,
    /// The model.
    pub target: &'a Target,
    /// For scratch files.
    pub folder: &'a Path,
    compute: &'a Compute,
    /// The operations it has, once it said so.
    ops: Option<Vec<String>>,
    load: Option<LoadResult>,
    ids: Option<Vec<u32>>,
    /// By plan.
    pub rows: BTreeMap<&'static str, PlanRows>,
    /// Of `inspect`.
    pub graph: Option<InspectResult>,
    /// A container that it wrote, and what it said of it.
    pub container: Option<(PathBuf, CompressResult)>,
}

impl<'a> Session<'a> {
    /// Nothing was asked yet.
    pub fn new(runner: &'a mut ProcessRunner, target: &'a Target, compute: &'a Compute, folder: &'a Path) -> Self {
        Self {
            runner,
            target,
            folder,
            compute,
            ops: None,
            load: None,
            ids: None,
            rows: BTreeMap::new(),
            graph: None,
            container: None,
        }
    }

    /// Asks; an operation that the runner does not have, or skips, ends the step.
    pub fn ask<O: Operation>(&mut self, params: &O) -> Result<O::Output, Trouble> {
        match self.try_ask(params)? {
            Ok(output) => Ok(output),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for what must be refused, with this code.
    pub fn ask_in_vain<O: Operation>(&mut self, params: &O, code: ErrorCode) -> StepResult {
        match self.try_ask(params)? {
            Ok(_) => wrong(format!(
                "it was carried out, but must be refused with the code {}",
                code.name()
            )),
            Err(error) if error.code == code => Ok(()),
            Err(error) if error.code == ErrorCode::Runner => Err(error.into()),
            Err(error) => wrong(format!(
                "it was refused with the code {}, not {}: {}",
                error.code.name(),
                code.name(),
                error.message
            )),
        }
    }

    fn try_ask<O: Operation>(&mut self, params: &O) -> Result<Result<O::Output>, Trouble> {
        if let Some(skip) = self.ops.as_ref().and_then(|ops| why_not_asked(O::NAME, ops)) {
            return skipped(skip.reason);
        }
        match ask(self.runner, params, &mut |_| interrupt::check()) {
            Ok(Outcome::Done(output)) => Ok(Ok(output)),
            Ok(Outcome::Skipped(skip)) => skipped(skip.reason),
            Err(error) => Ok(Err(error)),
        }
    }

    /// What `load` answered; without it the step is left out.
    pub fn loaded(&self) -> Result<&LoadResult, Trouble> {
        self.load.as_ref().ok_or_else(|| missing("load"))
    }

    /// The tokens of [`TEXT`]; without them the step is left out.
    pub fn tokens(&self) -> Result<&[u32], Trouble> {
        self.ids.as_deref().ok_or_else(|| missing("tokenize"))
    }

    fn request(&self) -> Load {
        self.target
            .load_request(self.compute.threads, &self.compute.provider, GraphOptimization::All)
    }
}

/// The answer is wrong.
pub fn wrong<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Wrong(what.into()))
}

fn skipped<T>(reason: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Skipped(reason.into()))
}

/// The answer of an earlier step is needed and missing.
pub fn missing(step: &str) -> Trouble {
    Trouble::Skipped(format!("it needs what `{step}` did not give"))
}

/// Another SHA-256 than this one.
fn another(sha256: &str) -> String {
    let digit = if sha256.starts_with('0') { "1" } else { "0" };
    digit.repeat(sha256.len())
}

pub fn hello(session: &mut Session<'_>) -> StepResult {
    let request = Hello {
        protocol: PROTOCOL_VERSION,
    };
    let answer = session.ask(&request).or_else(|trouble| match trouble {
        Trouble::Skipped(reason) => wrong(format!("every runner must answer it, but it was skipped: {reason}")),
        other => Err(other),
    });
    let answer = answer?;
    let missing = answer.missing_operation();
    let HelloResult {
        protocol,
        name,
        ops,
        fingerprint,
    } = answer;
    if protocol != PROTOCOL_VERSION {
        return wrong(format!(
            "it speaks version {protocol} of the protocol, not {PROTOCOL_VERSION}"
        ));
    }
    if name.is_empty() || fingerprint.language.is_empty() {
        return wrong("its name or its fingerprint's language is empty");
    }
    if let Some(op) = missing {
        return wrong(format!("every runner must have `{op}`, which `ops` does not name"));
    }
    session.ops = Some(ops);
    Ok(())
}

pub fn load_of_another_model(session: &mut Session<'_>) -> StepResult {
    let model_sha256 = another(&session.target.model_sha256);
    let request = Load {
        model_sha256,
        ..session.request()
    };
    session.ask_in_vain(&request, ErrorCode::Integrity)
}

pub fn load_of_another_tokenizer(session: &mut Session<'_>) -> StepResult {
    let tokenizer_sha256 = another(&session.target.tokenizer_sha256);
    let request = Load {
        tokenizer_sha256,
        ..session.request()
    };
    session.ask_in_vain(&request, ErrorCode::Integrity)
}

pub fn load(session: &mut Session<'_>) -> StepResult {
    let request = session.request();
    let result = session.ask(&request)?;
    let used = &result.fingerprint;
    let known = [
        ("runtime", used.runtime.is_some()),
        ("runtime_version", used.runtime_version.is_some()),
    ];
    if let Some((field, _)) = known.iter().find(|(_, known)| !known) {
        return wrong(format!("its fingerprint still does not know `{field}`"));
    }
    check_load("the runner", &request, &result)?;
    session.load = Some(result);
    Ok(())
}

pub fn inspect(session: &mut Session<'_>) -> StepResult {
    let vocab_size = u64::from(session.loaded()?.vocab_size);
    let graph = session.ask(&Inspect {})?;
    if !graph.inputs.iter().any(|input| input.name == "input_ids") {
        return wrong("there is no input `input_ids`");
    }
    let Some(logits) = graph.outputs.iter().find(|output| output.name == "logits") else {
        return wrong("there is no output `logits`");
    };
    match logits.shape.last() {
        Some(Dimension::Fixed(size)) if *size != vocab_size => {
            return wrong(format!(
                "the last dimension of `logits` is {size}, load said {vocab_size}"
            ));
        }
        Some(_) => {}
        None => return wrong("`logits` has no dimensions"),
    }
    if graph.ops.is_empty() || graph.opset.is_empty() {
        return wrong("it names no operations, or no opset");
    }
    let asked = &session.compute.provider;
    if graph.provider != *asked {
        return wrong(format!("the provider is {:?}, asked was {asked:?}", graph.provider));
    }
    session.graph = Some(graph);
    Ok(())
}

pub fn tokenize(session: &mut Session<'_>) -> StepResult {
    let vocab_size = session.loaded()?.vocab_size;
    let request = Tokenize { text: TEXT.to_owned() };
    let ids = session.ask(&request)?.ids;
    if ids.is_empty() {
        return wrong("a text became no tokens");
    }
    if let Some(id) = ids.iter().find(|id| **id >= vocab_size) {
        return wrong(format!("the id {id} is not below the vocabulary's {vocab_size}"));
    }
    if session.ask(&request)?.ids != ids {
        return wrong("the same text became other tokens the second time");
    }
    session.ids = Some(ids);
    Ok(())
}

pub fn detokenize(session: &mut Session<'_>) -> StepResult {
    let ids = session.tokens()?.to_vec();
    let text = session.ask(&Detokenize { ids })?.text;
    if text != TEXT {
        return wrong(format!("{TEXT:?} came back as {text:?}"));
    }
    Ok(())
}

pub fn unknown_operation(session: &mut Session<'_>) -> StepResult {
    match session.runner.request("no-such-operation", json!({}), &mut |_| Ok(())) {
        Err(error) if error.code == ErrorCode::Runner => Err(error.into()),
        Err(_) => Ok(()),
        Ok(RawOutcome::Done(_) | RawOutcome::Skipped(_)) => wrong("it must be answered with an error"),
    }
}

pub fn bye(session: &mut Session<'_>) -> StepResult {
    session.ask(&Bye {})?;
    match session.runner.exit_status() {
        None => wrong("it did not exit"),
        Some(status) if !status.success() => wrong(format!("it exited with {status}, not 0")),
        Some(_) => Ok(()),
    }
}
