//! Owns which models and files there are, by the manifest and by what lies on the disk. Here a file is judged by its size alone; it reads no
//! content and changes nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::provenance::Hash;
use crate::model::provenance::manifest::{FileEntry, Manifest, ModelRecord, Variant};
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
    /// The files that are meant; where nothing was named, those of the default variant, or all of a model without variants.
    ///
    /// # Errors
    /// `usage` for a variant or a file that the model does not have; `setup` when the manifest has no entry of a file that a variant needs.
    pub fn wanted(&self, selection: &Selection) -> Result<Vec<WantedFile>> {
        let variants = self.variants(selection)?;
        for variant in &variants {
            self.check_entries(variant)?;
        }
        let is_nothing_named = selection.variants.is_empty() && selection.files.is_empty();
        let all = selection.all || (is_nothing_named && self.record.variants.is_empty());
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
            all || selection.files.contains(&file.path)
                || !self.is_weights(&file.path)
                || variants.iter().any(|variant| belongs_to(&file.path, variant))
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

    /// The variants that were named; else the default one, unless files were named.
    fn variants(&self, selection: &Selection) -> Result<Vec<&Variant>> {
        let variants = &self.record.variants;
        if selection.all {
            return Ok(variants.iter().collect());
        }
        if selection.variants.is_empty() {
            let default = selection
                .files
                .is_empty()
                .then(|| self.record.default_variant())
                .flatten();
            return Ok(default.into_iter().collect());
        }
        let of_name = |name: &String| {
            let found = variants.iter().find(|variant| variant.dtype == *name);
            found.ok_or_else(|| {
                let known: Vec<&str> = variants.iter().map(|variant| variant.dtype.as_str()).collect();
                let message = format!("the model {} has no variant {name}", self.record.name);
                Error::new(ErrorCode::Usage, message).with_hint(format!("its variants are: {}", known.join(", ")))
            })
        };
        selection.variants.iter().map(of_name).collect()
    }

    /// Sees that every file that a variant names has an entry, without which nothing could be fetched or held to anything.
    fn check_entries(&self, variant: &Variant) -> Result<()> {
        let has_entry = |path: &String| self.record.files.iter().any(|file| file.path == *path);
        let Some(path) = files_of(variant).find(|path| !has_entry(path)) else {
            return Ok(());
        };
        let (model, variant) = (&self.record.name, &variant.dtype);
        Err(Error::new(
            ErrorCode::Setup,
            format!("the variant {variant} of {model} needs {path}, of which the manifest has no entry"),
        )
        .with_hint(format!(
            "give it one in the manifest: a line [[model.file]], below it path = \"{path}\", its bytes and its sha256"
        )))
    }

    /// Whether a file holds weights: a graph or what belongs to one, or a checkpoint. The rest is small, and needed with any of them.
    fn is_weights(&self, path: &str) -> bool {
        let of_variant = |variant: &Variant| belongs_to(path, variant);
        path.contains(".onnx") || path.ends_with(".safetensors") || self.record.variants.iter().any(of_variant)
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
    pub fn variant_state(&self, variant: &Variant) -> State {
        let needed = |file: &WantedFile| !self.is_weights(&file.path) || belongs_to(&file.path, variant);
        let states = self.files().into_iter().filter(needed).map(|file| file.state());
        // Also those that the manifest has no entry of.
        let own = files_of(variant).map(|path| State::of(&self.folder.join(path), None));
        worst(states.chain(own))
    }

    /// What there is of the model: damaged when any file is, present when a variant is, or, where there are none, every file.
    #[must_use]
    pub fn state(&self) -> State {
        let files = worst(self.files().iter().map(WantedFile::state));
        if files == State::Damaged || self.record.variants.is_empty() {
            return files;
        }
        let mut variants = self.record.variants.iter();
        if variants.any(|variant| self.variant_state(variant) == State::Present) {
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

/// A variant's graph, and the files with its weights.
fn files_of(variant: &Variant) -> impl Iterator<Item = &String> {
    [&variant.file].into_iter().chain(&variant.data)
}

/// Whether a file is a variant's graph or one with its weights.
fn belongs_to(path: &str, variant: &Variant) -> bool {
    files_of(variant).any(|file| file == path)
}

#[cfg(test)]
mod tests;
