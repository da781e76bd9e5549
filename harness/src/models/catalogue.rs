//! Owns which models and files there are, by the manifest and by what lies on the disk. Here a file is judged by its size alone; it reads no
//! content and changes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::provenance::Hash;
use crate::model::provenance::manifest::{FileEntry, Manifest, ModelRecord};
use crate::{Error, ErrorCode, Result};

/// A manifest and where it lies.
#[derive(Clone, Debug)]
pub struct Catalogue {
    file: PathBuf,
    manifest: Manifest,
}

/// A model of the manifest and its folder.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// What the manifest says.
    pub record: ModelRecord,
    /// Where its files lie, or would.
    pub folder: PathBuf,
}

/// A file of a model, and what must be true of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedFile {
    /// As in the manifest.
    pub path: String,
    /// Where it belongs.
    pub target: PathBuf,
    /// Its size, where known.
    pub bytes: Option<u64>,
    /// Its SHA-256, where known.
    pub sha256: Option<Hash>,
}

/// What there is of a file or a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All that is needed, of the sizes that it must have.
    Present,
    /// Not there.
    Missing,
    /// A file of another size, or no file at all where one should be.
    Damaged,
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Damaged => "damaged",
        }
    }
}

/// Which files of a model are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The files of these variants, and what all variants need.
    pub variants: Vec<String>,
    /// Also these files.
    pub files: Vec<String>,
    /// All files.
    pub all: bool,
}

impl Catalogue {
    /// Reads a manifest.
    ///
    /// # Errors
    /// `io` or `setup` when it cannot be used.
    pub fn read(file: &Path) -> Result<Self> {
        Ok(Self {
            manifest: Manifest::read(file)?,
            file: file.to_owned(),
        })
    }

    /// The manifest's own file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All models, in the manifest's order.
    pub fn models(&self) -> impl Iterator<Item = ModelFiles> + '_ {
        self.manifest.models.iter().map(|record| ModelFiles {
            folder: self.manifest.folder_of(record),
            record: record.clone(),
        })
    }

    /// One model.
    ///
    /// # Errors
    /// `usage` when the manifest has none of that name.
    pub fn model(&self, name: &str) -> Result<ModelFiles> {
        self.models().find(|model| model.record.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.manifest.models.iter().map(|model| model.name.as_str()).collect();
            Error::new(ErrorCode::Usage, format!("the manifest has no model {name}"))
                .with_hint(format!("its models are: {}", names.join(", ")))
        })
    }
}

impl ModelFiles {
    /// The files that are meant; those of the default variant where nothing was named.
    ///
    /// # Errors
    /// `usage` for a variant or a file that the model does not have.
    pub fn wanted(&self, selection: &Selection) -> Result<Vec<WantedFile>> {
        let graphs = self.graphs(selection)?;
        let paths = self.record.files.iter().map(|file| file.path.as_str());
        if let Some(unknown) = selection
            .files
            .iter()
            .find(|file| !paths.clone().any(|path| path == **file))
        {
            let message = format!("the model {} has no file {unknown}", self.record.name);
            let all = paths.collect::<Vec<_>>().join(", ");
            return Err(Error::new(ErrorCode::Usage, message).with_hint(format!("its files are: {all}")));
        }
        let is_wanted = |file: &&FileEntry| {
            selection.all
                || selection.files.contains(&file.path)
                || !is_weights(&file.path)
                || graphs.iter().any(|graph| belongs_to(&file.path, graph))
        };
        Ok(self
            .record
            .files
            .iter()
            .filter(is_wanted)
            .map(|file| self.at_its_place(file))
            .collect())
    }

    /// All files of the manifest.
    #[must_use]
    pub fn files(&self) -> Vec<WantedFile> {
        self.record.files.iter().map(|file| self.at_its_place(file)).collect()
    }

    /// The graphs of the variants that were named; else of the default one, unless files were named.
    fn graphs(&self, selection: &Selection) -> Result<Vec<&str>> {
        let variants = &self.record.variants;
        if selection.variants.is_empty() {
            let default = selection
                .files
                .is_empty()
                .then(|| self.record.default_variant())
                .flatten();
            return Ok(default.map(|variant| variant.file.as_str()).into_iter().collect());
        }
        let graph = |name: &String| {
            let found = variants.iter().find(|variant| variant.dtype == *name);
            found.map(|variant| variant.file.as_str()).ok_or_else(|| {
                let known: Vec<&str> = variants.iter().map(|variant| variant.dtype.as_str()).collect();
                let message = format!("the model {} has no variant {name}", self.record.name);
                Error::new(ErrorCode::Usage, message).with_hint(format!("its variants are: {}", known.join(", ")))
            })
        };
        selection.variants.iter().map(graph).collect()
    }

    fn at_its_place(&self, file: &FileEntry) -> WantedFile {
        WantedFile {
            target: self.folder.join(&file.path),
            path: file.path.clone(),
            bytes: file.bytes,
            sha256: file.sha256,
        }
    }

    /// What there is of a variant: its graph's files, and what all variants need.
    #[must_use]
    pub fn variant_state(&self, graph: &str) -> State {
        let needed = |file: &WantedFile| !is_weights(&file.path) || belongs_to(&file.path, graph);
        let states = self.files().into_iter().filter(needed).map(|file| file.state());
        let graph = State::of(&self.folder.join(graph), None);
        worst(states.chain([graph]))
    }

    /// What there is of the model: damaged when any file is, present when a variant is.
    #[must_use]
    pub fn state(&self) -> State {
        if self.files().iter().any(|file| file.state() == State::Damaged) {
            return State::Damaged;
        }
        let mut variants = self.record.variants.iter();
        if variants.any(|variant| self.variant_state(&variant.file) == State::Present) {
            State::Present
        } else {
            State::Missing
        }
    }
}

impl WantedFile {
    /// What there is of it.
    #[must_use]
    pub fn state(&self) -> State {
        State::of(&self.target, self.bytes)
    }
}

impl State {
    fn of(path: &Path, bytes: Option<u64>) -> Self {
        match path.metadata() {
            Err(_) => Self::Missing,
            Ok(metadata) if !metadata.is_file() || bytes.is_some_and(|bytes| bytes != metadata.len()) => Self::Damaged,
            Ok(_) => Self::Present,
        }
    }
}

fn worst(states: impl Iterator<Item = State>) -> State {
    let rank = |state: &State| match state {
        State::Present => 0,
        State::Missing => 1,
        State::Damaged => 2,
    };
    states.max_by_key(rank).unwrap_or(State::Missing)
}

/// Whether a file holds weights: a graph or what belongs to one, or a checkpoint. The rest is small, and needed with any of them.
fn is_weights(path: &str) -> bool {
    path.contains(".onnx") || path.ends_with(".safetensors")
}

/// Whether a file is a graph or one with its weights: `model.onnx`, `model.onnx_data`.
fn belongs_to(path: &str, graph: &str) -> bool {
    path.starts_with(graph)
}

#[cfg(test)]
mod tests;
