//! Owns the taking of a model's files from a folder of this machine.

use std::path::{Path, PathBuf};

use super::Observer;
use super::catalogue::{Catalogue, ModelFiles, Selection, State, WantedFile};
use super::copy::take;
use super::fetch::finish;
use super::lock::Lock;
use super::record::check_recordable;
use crate::{Error, ErrorCode, Result};

/// Copies every file of the model that `folder` has, at its path or by its name alone, and gives the model's folder.
///
/// # Errors
/// `usage` when the manifest has no such model; `setup` when the folder has none of its files, or the manifest cannot record what it does
/// not know; `integrity` when files are not the manifest's, which names all of them; `io`; `interrupted`. Files that are right are taken,
/// also when others are wrong.
pub fn import(
    manifest: &Path,
    name: &str,
    folder: &Path,
    accept_unknown: bool,
    observer: &dyn Observer,
) -> Result<PathBuf> {
    let _lock = Lock::take(manifest.parent().unwrap_or(Path::new(".")))?;
    let catalogue = Catalogue::read(manifest)?;
    let model = catalogue.model(name)?;
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        return Err(Error::new(ErrorCode::Usage, message).with_hint("name the folder that holds the model's files"));
    }
    let mut chosen = Vec::new();
    // All that can be refused is, before any file is taken.
    for file in model.files() {
        let Some(path) = found(folder, &file) else {
            continue;
        };
        if path
            .canonicalize()
            .ok()
            .is_some_and(|path| file.target.canonicalize().is_ok_and(|target| target == path))
        {
            let message = format!("{} is the model's own folder", folder.display());
            return Err(Error::new(ErrorCode::Usage, message)
                .with_hint("name another folder; `cargo run -- models verify` checks what is there"));
        }
        if file.sha256.is_none() && !accept_unknown {
            observer.says(&format!(
                "{}: left out, as the manifest knows no SHA-256 of it; --accept-unknown takes it and records it",
                file.path
            ));
            continue;
        }
        if file.sha256.is_none() {
            check_recordable(manifest, name, &file.path)?;
        }
        chosen.push((path, file));
    }
    if chosen.is_empty() {
        let message = format!("{} has no file of {name} that can be taken", folder.display());
        let paths: Vec<String> = model.files().into_iter().map(|file| file.path).collect();
        return Err(Error::new(ErrorCode::Setup, message).with_hint(format!("its files are: {}", paths.join(", "))));
    }
    let mut wrong = Vec::new();
    for (path, file) in &chosen {
        match take(path, file, observer) {
            Ok(found) => finish(&catalogue, name, file, found, "taken", observer)?,
            Err(error) if error.code == ErrorCode::Integrity => wrong.push(error),
            Err(error) => return Err(error),
        }
    }
    if wrong.is_empty() {
        Ok(model.folder)
    } else {
        Err(all_of(wrong))
    }
}

/// The files that the default variant still lacks, or a model without variants; also those that have another size than the manifest says.
///
/// # Errors
/// `setup` when the manifest has no entry of a file that the variant needs.
pub fn still_lacking(model: &ModelFiles) -> Result<Vec<WantedFile>> {
    let mut files = model.wanted(&Selection::default())?;
    files.retain(|file| file.state() != State::Present);
    Ok(files)
}

/// One error that tells of all wrong files.
fn all_of(mut errors: Vec<Error>) -> Error {
    if errors.len() == 1 {
        return errors.remove(0);
    }
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let mut hints: Vec<&str> = errors.iter().map(|error| error.hint.as_ref()).collect();
    hints.sort_unstable();
    hints.dedup();
    let message = format!("{} files are not the manifest's: {}", errors.len(), messages.join("; "));
    Error::new(ErrorCode::Integrity, message).with_hint(hints.join("; or "))
}

/// Where a folder has the file: at its path, or, where somebody put all files side by side, by its name.
fn found(folder: &Path, file: &WantedFile) -> Option<PathBuf> {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    [file.path.as_str(), name]
        .iter()
        .map(|path| folder.join(path))
        .find(|path| path.is_file())
}
