//! Owns the reading of `models/manifest.toml`: the models that the project knows and every file of theirs. A manifest is
//! checked as a whole; what passes names only files inside the models' folders.

use std::path::{Component, Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Hash, model_identity};
use crate::{Error, ErrorCode, Result};

/// The version of the manifest's form that this reader knows.
const VERSION: u32 = 1;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The models, in the file's order.
    pub models: Vec<ModelRecord>,
    folder: PathBuf,
}

/// The file as it is written.
#[derive(Deserialize)]
struct File {
    version: u32,
    #[serde(default, rename = "model")]
    models: Vec<ModelRecord>,
}

/// A model of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ModelRecord {
    /// Its name.
    pub name: String,
    /// Its folder, relative to the manifest.
    pub folder: String,
    /// Where it comes from: an address or words.
    pub source: String,
    /// The source's revision, where it has one.
    #[serde(default)]
    pub revision: Option<String>,
    /// Its licence.
    pub licence: String,
    /// Its tokenizer's file, relative to the folder.
    pub tokenizer: String,
    /// The default window.
    pub window: usize,
    /// The default overlap.
    pub overlap: usize,
    /// The default start token.
    pub start_token: u32,
    /// Its ONNX files.
    #[serde(default, rename = "variant")]
    pub variants: Vec<Variant>,
    /// All its files.
    #[serde(default, rename = "file")]
    pub files: Vec<FileEntry>,
}

/// An ONNX file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Variant {
    /// The variant's name, such as `q4f16`.
    pub dtype: String,
    /// The file, relative to the model's folder.
    pub file: String,
    /// The files beside it that hold weights of it, relative to the model's folder.
    #[serde(default)]
    pub data: Vec<String>,
    /// The type of its activations, which says what agreement to expect.
    pub activation: String,
    /// The default eps of a container, as text.
    pub eps: String,
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FileEntry {
    /// Relative to the model's folder.
    pub path: String,
    /// Its size in bytes, where known.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Its SHA-256, where known; `unknown` in the file says that it is not.
    #[serde(default, deserialize_with = "known_hash")]
    pub sha256: Option<Hash>,
}

/// In the place of a SHA-256 that nobody knows yet.
pub const UNKNOWN: &str = "unknown";

fn known_hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Hash>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == UNKNOWN {
        return Ok(None);
    }
    text.parse().map(Some).map_err(D::Error::custom)
}

impl Manifest {
    /// Reads a manifest file.
    ///
    /// # Errors
    /// `io` when it cannot be read, `setup` when it is not a manifest of the known form.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| Error::io("read", file, &error))?;
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self::parse(&text, folder).map_err(|reason| {
            Error::new(ErrorCode::Setup, format!("{} cannot be used: {reason}", file.display()))
                .with_hint("restore it; models/manifest.toml of the repository shows the form")
        })
    }

    /// Reads the text of a manifest that lies in `folder`; an error says what is wrong.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let file = toml::from_str::<File>(text).map_err(|error| error.to_string())?;
        if file.version != VERSION {
            return Err(format!(
                "it has version {}, this program knows version {VERSION}",
                file.version
            ));
        }
        for (index, model) in file.models.iter().enumerate() {
            model
                .check()
                .map_err(|reason| format!("model {}: {reason}", model.name))?;
            if file.models[..index].iter().any(|other| other.name == model.name) {
                return Err(format!("it has two models of the name {}", model.name));
            }
        }
        Ok(Self {
            models: file.models,
            folder,
        })
    }

    /// The folder of a model's files.
    #[must_use]
    pub fn folder_of(&self, model: &ModelRecord) -> PathBuf {
        self.folder.join(&model.folder)
    }
}

/// The variants that are used unless another is named: the first of these that a model has.
const DEFAULT_VARIANTS: [&str; 2] = ["exact", "q4f16"];

/// The default of several variants.
pub(super) fn default_of<T>(variants: &[T], name: impl Fn(&T) -> &str) -> Option<&T> {
    let of_name = |default: &&str| variants.iter().find(|variant| name(variant) == *default);
    DEFAULT_VARIANTS.iter().find_map(of_name).or_else(|| variants.first())
}

/// Whether a path, with `/` between its parts, stays in the folder that it is relative to.
#[must_use]
pub fn is_inside(path: &str) -> bool {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    Path::new(path).components().all(normal)
        && !path.contains('\\')
        && !path.split('/').any(|part| ["", ".", ".."].contains(&part))
}

impl Variant {
    fn check_data(&self) -> Result<(), String> {
        let folder = |path: &'_ str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        for (index, path) in self.data.iter().enumerate() {
            if folder(path) != folder(&self.file) {
                return Err(format!("{path:?} does not lie beside {}", self.file));
            }
            if self.data[..index].contains(path) {
                return Err(format!("it names the data {path} twice"));
            }
        }
        Ok(())
    }
}

impl ModelRecord {
    /// The SHA-256 that a file must have, where the manifest knows it.
    #[must_use]
    pub fn sha256(&self, path: &str) -> Option<Hash> {
        self.files.iter().find(|file| file.path == path)?.sha256
    }

    /// The SHA-256 that a variant must have, its files of weights included, where the manifest knows those of all its files.
    #[must_use]
    pub fn model_sha256(&self, variant: &Variant) -> Option<Hash> {
        let name = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let data = variant.data.iter().map(|path| Some((name(path), self.sha256(path)?)));
        let data = data.collect::<Option<Vec<_>>>()?;
        let data: Vec<_> = data.iter().map(|(name, hash)| (name.as_str(), *hash)).collect();
        Some(model_identity(self.sha256(&variant.file)?, &data))
    }

    /// The variant that is used unless another is named: `exact`, else `q4f16`, else the first.
    #[must_use]
    pub fn default_variant(&self) -> Option<&Variant> {
        default_of(&self.variants, |variant| &variant.dtype)
    }

    /// Whether the source is an address, from which the files can be fetched.
    #[must_use]
    pub fn is_fetchable(&self) -> bool {
        ["https://", "http://"]
            .iter()
            .any(|scheme| self.source.starts_with(scheme))
    }

    fn check(&self) -> Result<(), String> {
        let paths = self.files.iter().map(|file| &file.path).chain(
            self.variants
                .iter()
                .flat_map(|variant| variant.data.iter().chain([&variant.file])),
        );
        for path in paths.chain([&self.folder, &self.tokenizer]) {
            if !is_inside(path) {
                return Err(format!("{path:?} is not a path inside its folder"));
            }
        }
        for (index, file) in self.files.iter().enumerate() {
            if self.files[..index].iter().any(|other| other.path == file.path) {
                return Err(format!("it names the file {} twice", file.path));
            }
        }
        for variant in &self.variants {
            variant.check_data()?;
        }
        if self.window < 2 || self.overlap >= self.window {
            return Err(format!(
                "a window of {} and an overlap of {} do not go together",
                self.window, self.overlap
            ));
        }
        Ok(())
    }
}
