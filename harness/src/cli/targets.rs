//! Owns which graphs a command runs and what it asks about them: from names on the command line to targets with their hashes.

use crate::compare::Classes;
use crate::conform::{Settings, Target, inputs};
use crate::model::fingerprint::GraphOptimization;
use crate::model::provenance::{ModelChoice, Models};
use crate::model::provider::CPU;
use crate::setup::Layout;
use crate::{Error, ErrorCode, Result};

/// Plain bytes of a frame; larger than every input, so that each is one frame.
const FRAME_BYTES: u32 = 1 << 20;

/// What is asked about `targets` unless an argument says otherwise.
pub(super) fn standard_settings(targets: Vec<Target>, layout: &Layout, thorough: bool) -> Result<Settings> {
    let samples = layout.models().join("tiny").join("samples");
    Ok(Settings {
        targets,
        sequence: inputs::sequence(),
        sequence_tokens: None,
        inputs: inputs::round_trip_inputs(&samples, thorough)?,
        required: Vec::new(),
        threads: 1,
        provider: CPU.to_owned(),
        graph_optimization: GraphOptimization::All,
        frame_bytes: FRAME_BYTES,
        remarks: Vec::new(),
        classes: Classes::built_in()?,
    })
}

/// With an emulated processor among the runners: a little more than a window of the embedded model, so that one is left behind.
const EMULATED_TOKENS: usize = 600;
/// With an emulated processor among the runners: enough for every kind of input, and for frames with lanes.
const EMULATED_INPUT_BYTES: usize = 512;

/// With WebGPU in software, where a pass of the embedded model takes about a second.
const WEBGPU_TOKENS: usize = 40;
/// With WebGPU in software: a few tokens of each kind of input.
const WEBGPU_INPUT_BYTES: usize = 40;

/// As much of a run as WebGPU in software can do in minutes; see [`shortened`].
pub(super) fn shortened_for_webgpu(settings: Settings) -> Settings {
    shortened_to(
        settings,
        WEBGPU_TOKENS,
        WEBGPU_INPUT_BYTES,
        "WebGPU, which may be software and slow",
    )
}

/// As much of a run as emulated processors can do in minutes. It is the same for all runners, since lanes and windows are cut by the number
/// of tokens: rows of a longer sequence would have other contexts.
pub(super) fn shortened(settings: Settings) -> Settings {
    let why = "emulated processors, which are slow";
    shortened_to(settings, EMULATED_TOKENS, EMULATED_INPUT_BYTES, why)
}

fn shortened_to(settings: Settings, tokens: usize, bytes: usize, why: &str) -> Settings {
    let long = settings.inputs.iter().filter(|input| input.bytes.len() > bytes);
    let names: Vec<&str> = long.map(|input| input.name.as_str()).collect();
    let tokens = settings.sequence_tokens.unwrap_or(tokens);
    let remark = format!(
        "shortened for {why}: {} to {tokens} tokens; inputs {} to {bytes} bytes; --thorough leaves them whole",
        settings.sequence.name,
        names.join(" and ")
    );
    Settings {
        sequence_tokens: Some(tokens),
        inputs: settings.inputs.into_iter().map(|input| input.first(bytes)).collect(),
        remarks: vec![remark],
        ..settings
    }
}

/// The variants of a run unless others are named: one that must be the same bits everywhere, and the plan's own.
const STANDARD_VARIANTS: [&str; 2] = ["exact", "q4f16"];

/// The variants that were asked for; else of those that are present the standard ones, or all where there are none or `thorough`.
pub(super) fn targets_of(models: &Models, name: &str, variants: &[String], thorough: bool) -> Result<Vec<Target>> {
    if !variants.is_empty() {
        return variants
            .iter()
            .map(|variant| target(models.choose(name, Some(variant))?))
            .collect();
    }
    let all = models.variants_of(name)?;
    let present: Vec<ModelChoice> = all
        .into_iter()
        .filter(|choice| choice.model_dir.join(&choice.model_file).is_file())
        .collect();
    if present.is_empty() {
        // `choose` says what is missing and how to get it.
        return Ok(vec![target(models.choose(name, None)?)?]);
    }
    let is_standard = |choice: &ModelChoice| STANDARD_VARIANTS.contains(&choice.variant.as_str());
    let all = thorough || !present.iter().any(is_standard);
    present
        .into_iter()
        .filter(|choice| all || is_standard(choice))
        .map(target)
        .collect()
}

/// The target that a choice stands for.
///
/// # Errors
/// `integrity` when the manifest beside its folder names no SHA-256 for it, or there is none.
pub(super) fn target(choice: ModelChoice) -> Result<Target> {
    let manifest = choice.model_dir.with_file_name("manifest.toml");
    let known = |hash: Option<crate::model::provenance::Hash>, what: &str| {
        hash.map(|hash| hash.to_string()).ok_or_else(|| {
            let (name, variant, path) = (&choice.name, &choice.variant, manifest.display());
            let message = if manifest.is_file() {
                format!("{path} names no SHA-256 for the {what} of {name}/{variant}")
            } else {
                format!("there is no {path} to name a SHA-256 for the {what} of {name}/{variant}")
            };
            Error::new(ErrorCode::Integrity, message).with_hint(
                "add the model and the SHA-256 of its files to it, as EXACT.md shows; a model without provenance is not run",
            )
        })
    };
    Ok(Target {
        model_sha256: known(choice.model_sha256, "graph")?,
        tokenizer_sha256: known(choice.tokenizer_sha256, "tokenizer")?,
        name: format!("{}/{}", choice.name, choice.variant),
        model_dir: std::path::absolute(&choice.model_dir)
            .map_err(|source| Error::io("find", &choice.model_dir, &source))?,
        model_file: choice.model_file.into(),
        eps: choice.eps,
        start_token: choice.start_token,
        window: context_length("window", choice.window)?,
        overlap: context_length("overlap", choice.overlap)?,
    })
}

fn context_length(what: &str, value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| {
        Error::new(
            ErrorCode::Setup,
            format!("the manifest states a {what} of {value} tokens, which is no context length"),
        )
        .with_hint("restore models/manifest.toml")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::repository;

    #[test]
    fn the_standard_variants_are_run_unless_others_are_named() {
        let models = Models::find(repository()).unwrap();
        let check = |variants: &[&str], thorough: bool, expected: &[&str]| {
            let variants: Vec<String> = variants.iter().map(ToString::to_string).collect();
            let targets = targets_of(&models, "tiny", &variants, thorough).unwrap();
            let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            assert_eq!(names, expected);
        };
        check(&[], false, &["tiny/exact", "tiny/q4f16"]);
        check(&[], true, &["tiny/exact", "tiny/q4f16", "tiny/q4"]);
        check(&["q4"], false, &["tiny/q4"]);
        check(&["q4"], true, &["tiny/q4"]);
    }

    #[test]
    fn a_folder_without_provenance_is_told_which_manifest_lacks_it() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().canonicalize().unwrap().join("mine");
        std::fs::create_dir_all(folder.join("onnx")).unwrap();
        std::fs::write(folder.join("onnx").join("model_exact.onnx"), "graph").unwrap();
        let models = Models::find(repository()).unwrap();
        let manifest = folder.with_file_name("manifest.toml");
        let check = |start: &str| {
            let error = targets_of(&models, folder.to_str().unwrap(), &[], false).unwrap_err();
            assert_eq!(error.code, ErrorCode::Integrity);
            let message = error.to_string();
            assert!(
                message.contains(&start.replace('@', manifest.to_str().unwrap())),
                "{message}"
            );
        };
        check("there is no @ to name a SHA-256 for the graph of mine/exact");
        std::fs::write(&manifest, "version = 1\n").unwrap();
        check("@ names no SHA-256 for the graph of mine/exact");
    }

    #[test]
    fn a_run_with_emulated_processors_is_shortened_and_says_so() {
        let layout = Layout::at(repository());
        let check = |asked: Option<usize>, tokens: usize| {
            let whole = Settings {
                sequence_tokens: asked,
                ..standard_settings(Vec::new(), &layout, false).unwrap()
            };
            let count = whole.inputs.len();
            let settings = shortened(whole);
            assert_eq!(settings.sequence_tokens, Some(tokens));
            assert_eq!(settings.inputs.len(), count);
            assert!(
                settings
                    .inputs
                    .iter()
                    .all(|input| input.bytes.len() <= EMULATED_INPUT_BYTES)
            );
            let [remark] = settings.remarks.as_slice() else {
                panic!("{:?}", settings.remarks);
            };
            assert!(remark.contains(&format!("1..1000 to {tokens} tokens")), "{remark}");
            assert!(
                remark.contains("inputs 1..1000 and 2 KB of prose and 10 KB of text to 512 bytes"),
                "{remark}"
            );
        };
        check(None, EMULATED_TOKENS);
        check(Some(7), 7);
    }
}
