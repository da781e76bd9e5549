//! Owns which model a command uses, and its loading as the arguments say.

use std::env;

use super::args::{ModelArguments, VariantArguments};
use super::output::Output;
use crate::container::layout::Preamble;
use crate::model::loaded::{LoadOptions, LoadedModel};
use crate::model::model_files::ModelFiles;
use crate::model::provenance::{ModelChoice, Models};
use crate::model::session::SessionOptions;
use crate::setup::{self, Layout};
use crate::{Error, ErrorCode, Result};

/// Names the model where no `--model` does.
const MODEL_VARIABLE: &str = "LLMZIP_MODEL";
/// The model where nothing names one.
pub const DEFAULT_MODEL: &str = "tiny";

/// The models of the project, and what was asked for.
pub struct ModelSource<'a> {
    layout: Layout,
    models: Models,
    arguments: &'a ModelArguments,
    batch: Option<usize>,
}

impl<'a> ModelSource<'a> {
    /// Finds the project and reads its manifest; `batch` is the most lanes that are to be fed at once.
    pub fn new(arguments: &'a ModelArguments, batch: Option<usize>) -> Result<Self> {
        let layout = Layout::find()?;
        let models = Models::of_manifest(&layout.manifest())?;
        Ok(Self {
            layout,
            models,
            arguments,
            batch,
        })
    }

    /// The model that was named, in the variant that was named.
    pub fn choose(&self, variant: &VariantArguments) -> Result<ModelChoice> {
        let name = self.named().unwrap_or_else(|| DEFAULT_MODEL.to_owned());
        self.models.choose(&name, variant.variant.as_deref())
    }

    /// Loads a model that was chosen.
    pub fn load(&self, choice: &ModelChoice, variant: &VariantArguments, output: &Output) -> Result<LoadedModel> {
        let mut options = self.options(choice)?;
        if !variant.verify_sha {
            options.model_sha256 = None;
            options.tokenizer_sha256 = None;
            options.config_sha256 = None;
        }
        let model = LoadedModel::load(&options)?;
        let file = choice.model_dir.join(&choice.model_file);
        if !variant.verify_sha {
            // Quiet or not: whoever reads the log must see that nothing vouches for what follows.
            output.error(&format!(
                "warning: --verify-sha=false: {} was held to no SHA-256; it has {}",
                file.display(),
                model.model_sha256
            ));
        } else if choice.model_sha256.is_none() {
            output.talk(&format!(
                "note: no manifest knows {}; its SHA-256 is {}",
                file.display(),
                model.model_sha256
            ));
        }
        Ok(model)
    }

    /// Loads the model that a container names: of the model that was named, else of the whole manifest. Whatever the manifest
    /// says of a folder, the container's hashes are those that count.
    pub fn load_for(&self, preamble: &Preamble) -> Result<LoadedModel> {
        let choice = match self.named() {
            Some(name) => self.matching(&name, preamble)?,
            None => self.models.by_sha256(preamble.model_sha256).ok_or_else(|| {
                Error::new(
                    ErrorCode::Integrity,
                    format!(
                        "the container was written with the model of SHA-256 {}, which models/manifest.toml does not know",
                        preamble.model_sha256
                    ),
                )
                .with_hint("name the folder of the right model with --model")
            })?,
        };
        LoadedModel::load(&LoadOptions {
            model_sha256: Some(preamble.model_sha256),
            tokenizer_sha256: Some(preamble.tokenizer_sha256),
            ..self.options(&choice)?
        })
    }

    /// The variant of a model whose SHA-256 is the container's.
    fn matching(&self, name: &str, preamble: &Preamble) -> Result<ModelChoice> {
        let mut found = Vec::new();
        for choice in self.models.variants_of(name)? {
            let sha256 = match choice.model_sha256 {
                Some(sha256) => sha256,
                None => ModelFiles::read(&choice.model_dir.join(&choice.model_file), None)?.sha256,
            };
            if sha256 == preamble.model_sha256 {
                return Ok(choice);
            }
            found.push(format!("{} {sha256}", choice.model_file));
        }
        let there = found.join(", ");
        Err(Error::new(
            ErrorCode::Integrity,
            format!(
                "the container was written with the model of SHA-256 {}; in {name} there is {there}",
                preamble.model_sha256
            ),
        )
        .with_hint("name the right model with --model"))
    }

    fn options(&self, choice: &ModelChoice) -> Result<LoadOptions> {
        let library = setup::find_onnxruntime(&self.layout)?;
        Ok(LoadOptions {
            session: SessionOptions {
                threads: self.arguments.compute.threads,
                provider: self.arguments.compute.provider.clone(),
                batch: self.batch,
                ..SessionOptions::default()
            },
            ..LoadOptions::new(&library, choice)
        })
    }

    fn named(&self) -> Option<String> {
        named_model(self.arguments.model.as_deref())
    }
}

/// The model that `--model` names, else the one that the environment names.
pub fn named_model(argument: Option<&str>) -> Option<String> {
    let variable = || env::var(MODEL_VARIABLE).ok().filter(|name| !name.is_empty());
    argument.map(str::to_owned).or_else(variable)
}
