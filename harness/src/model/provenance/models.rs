//! Owns the finding of models: by name, by folder or by their SHA-256. It reads no model.

use std::path::{Path, PathBuf};

use super::Hash;
use super::manifest::{Manifest, ModelRecord, Variant, default_of};
use crate::{Error, ErrorCode, Result};

/// A model file, what must be true of it, and how it is used unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChoice {
    /// The model's name: that of the manifest, or the folder's.
    pub name: String,
    /// The folder that holds `config.json` and `tokenizer.json`.
    pub model_dir: PathBuf,
    /// The ONNX file, relative to the folder, with `/` as separator.
    pub model_file: String,
    /// The variant's name, such as `q4f16`.
    pub variant: String,
    /// The SHA-256 that the model must have, its files of weights included; none when the manifest does not know them all.
    pub model_sha256: Option<Hash>,
    /// The SHA-256 that `tokenizer.json` must have; none when the manifest does not know the file.
    pub tokenizer_sha256: Option<Hash>,
    /// The SHA-256 that `config.json` must have; none when the manifest does not know the file.
    pub config_sha256: Option<Hash>,
    /// The default eps of a container, as text.
    pub eps: String,
    /// The default window.
    pub window: usize,
    /// The default overlap.
    pub overlap: usize,
    /// The default start token.
    pub start_token: u32,
}

/// The eps of a model that the manifest does not know: what 4-bit weights with 16-bit activations need.
const DEFAULT_EPS: &str = "2e-2";
const DEFAULT_WINDOW: usize = 512;
const DEFAULT_OVERLAP: usize = 128;

/// The models that can be named: those of a manifest, if there is one.
#[derive(Clone, Debug, Default)]
pub struct Models {
    manifest: Option<Manifest>,
}

impl Models {
    /// The models of `models/manifest.toml` in `start` or the nearest folder above it that has one; none is no error.
    ///
    /// # Errors
    /// `io` or `setup` when the manifest is there and cannot be used.
    pub fn find(start: &Path) -> Result<Self> {
        let start = std::path::absolute(start).map_err(|error| Error::io("find", start, &error))?;
        let files = start
            .ancestors()
            .map(|folder| folder.join("models").join("manifest.toml"));
        let file = files.into_iter().find(|file| file.is_file());
        Ok(Self {
            manifest: file.map(|file| Manifest::read(&file)).transpose()?,
        })
    }

    /// The models of one manifest file.
    ///
    /// # Errors
    /// `io` or `setup` when it cannot be used.
    pub fn of_manifest(file: &Path) -> Result<Self> {
        Ok(Self {
            manifest: Some(Manifest::read(file)?),
        })
    }

    /// The manifest, if there is one.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The variants of a model, in the manifest's order.
    ///
    /// # Errors
    /// `usage` when the manifest has no such model.
    pub fn variants(&self, name: &str) -> Result<Vec<ModelChoice>> {
        let manifest = self.manifest.as_ref();
        let found =
            manifest.and_then(|manifest| Some((manifest, manifest.models.iter().find(|model| model.name == name)?)));
        let (manifest, model) = found.ok_or_else(|| self.unknown(name))?;
        Ok(model
            .variants
            .iter()
            .map(|variant| choice(manifest, model, variant))
            .collect())
    }

    /// The variants of a model of the manifest or of a folder. A folder that neither this manifest nor the one beside it knows is
    /// a model of unknown hashes, its variants being `onnx/model_VARIANT.onnx`.
    ///
    /// # Errors
    /// `usage` when there is no such model; `setup` when the folder is not a model's, or the manifest beside it cannot be used;
    /// `io` when the folder cannot be read.
    pub fn variants_of(&self, name_or_folder: &str) -> Result<Vec<ModelChoice>> {
        self.variants(name_or_folder)
            .or_else(|unknown| match Path::new(name_or_folder).canonicalize() {
                Ok(folder) if folder.is_dir() => self.of_folder(&folder),
                _ => Err(unknown),
            })
            .and_then(|choices| match choices.is_empty() {
                false => Ok(choices),
                true => Err(no_graphs(name_or_folder)),
            })
    }

    /// The model that `name_or_folder` stands for, in the given variant, or in `exact`, or in q4f16, or in its first one.
    ///
    /// # Errors
    /// `usage` when there is no such model or variant; `setup` when its files are not there.
    pub fn choose(&self, name_or_folder: &str, variant: Option<&str>) -> Result<ModelChoice> {
        let choices = self.variants_of(name_or_folder)?;
        let known = choices
            .iter()
            .map(|choice| choice.variant.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let chosen = match variant {
            Some(variant) => choices.iter().find(|choice| choice.variant == variant),
            None => default_of(&choices, |choice| &choice.variant),
        };
        let chosen = chosen.cloned().ok_or_else(|| {
            let message = format!(
                "the model {name_or_folder} has no variant {}",
                variant.unwrap_or_default()
            );
            Error::new(ErrorCode::Usage, message).with_hint(format!("its variants are: {known}"))
        })?;
        let file = chosen.model_dir.join(&chosen.model_file);
        if !file.is_file() {
            let message = format!("the model file {} is not there", file.display());
            let way = self.way_to(&chosen);
            return Err(Error::new(ErrorCode::Setup, message).with_hint(format!("{way}; its variants are: {known}")));
        }
        Ok(chosen)
    }

    /// The model file of this SHA-256, if the manifest knows it.
    #[must_use]
    pub fn by_sha256(&self, sha256: Hash) -> Option<ModelChoice> {
        let manifest = self.manifest.as_ref()?;
        let all = manifest
            .models
            .iter()
            .flat_map(|model| model.variants.iter().map(move |variant| (model, variant)));
        let mut matching = all.filter(|(model, variant)| model.model_sha256(variant) == Some(sha256));
        matching.next().map(|(model, variant)| choice(manifest, model, variant))
    }

    /// The variants of a folder: those of the manifest if it is a folder of the manifest, or of the one beside it; else what it
    /// holds.
    fn of_folder(&self, folder: &Path) -> Result<Vec<ModelChoice>> {
        if let Some(choices) = self.manifest.as_ref().and_then(|manifest| known(manifest, folder)) {
            return Ok(choices);
        }
        let beside = folder.with_file_name("manifest.toml");
        if beside.is_file()
            && let Some(choices) = known(&Manifest::read(&beside)?, folder)
        {
            return Ok(choices);
        }
        let onnx = folder.join("onnx");
        if !onnx.is_dir() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&onnx).map_err(|error| Error::io("read the folder", &onnx, &error))?;
        let mut choices = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|file| unknown_choice(folder, &file))
            .collect::<Vec<_>>();
        choices.sort_by(|a, b| a.variant.cmp(&b.variant));
        Ok(choices)
    }

    /// How a file that is not there can be had.
    fn way_to(&self, choice: &ModelChoice) -> String {
        let ModelChoice { name, variant, .. } = choice;
        let mut models = self.manifest.iter().flat_map(|manifest| &manifest.models);
        if models.any(|model| model.name == *name && model.is_fetchable()) {
            format!("`cargo run -- models fetch {name} --variant {variant}` gets it")
        } else {
            "get it and put it there".to_owned()
        }
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.models)
            .map(|model| model.name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        let hint = if names.is_empty() {
            "name a folder that holds config.json, tokenizer.json and onnx/".to_owned()
        } else {
            format!("name a model folder or one of: {names}")
        };
        Error::new(ErrorCode::Usage, format!("there is no model {name}")).with_hint(hint)
    }
}

fn no_graphs(model: &str) -> Error {
    let message = format!("{model} is not a model folder: it has no onnx/model.onnx and no onnx/model_NAME.onnx");
    Error::new(ErrorCode::Setup, message).with_hint("name a folder that holds config.json, tokenizer.json and onnx/")
}

/// The variants of a folder of the manifest.
fn known(manifest: &Manifest, folder: &Path) -> Option<Vec<ModelChoice>> {
    let same = |model: &&ModelRecord| {
        manifest
            .folder_of(model)
            .canonicalize()
            .is_ok_and(|path| path == folder)
    };
    let model = manifest.models.iter().find(same)?;
    let choices = model.variants.iter().map(|variant| choice(manifest, model, variant));
    Some(choices.collect())
}

fn choice(manifest: &Manifest, model: &ModelRecord, variant: &Variant) -> ModelChoice {
    ModelChoice {
        name: model.name.clone(),
        model_dir: manifest.folder_of(model),
        model_file: variant.file.clone(),
        variant: variant.dtype.clone(),
        model_sha256: model.model_sha256(variant),
        tokenizer_sha256: model.sha256(&model.tokenizer),
        config_sha256: model.sha256("config.json"),
        eps: variant.eps.clone(),
        window: model.window,
        overlap: model.overlap,
        start_token: model.start_token,
    }
}

/// A file `model_VARIANT.onnx`, or `model.onnx`, in the `onnx/` of a folder that the manifest does not know.
fn unknown_choice(folder: &Path, file: &str) -> Option<ModelChoice> {
    let variant = match file.strip_prefix("model")?.strip_suffix(".onnx")? {
        // As transformers.js names the graph that has no suffix.
        "" => "fp32",
        suffix => suffix.strip_prefix('_').filter(|name| !name.is_empty())?,
    };
    Some(ModelChoice {
        name: folder.file_name()?.to_string_lossy().into_owned(),
        model_dir: folder.to_owned(),
        model_file: format!("onnx/{file}"),
        variant: variant.to_owned(),
        model_sha256: None,
        tokenizer_sha256: None,
        config_sha256: None,
        eps: DEFAULT_EPS.to_owned(),
        window: DEFAULT_WINDOW,
        overlap: DEFAULT_OVERLAP,
        start_token: 0,
    })
}
