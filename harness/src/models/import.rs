//! Owns the taking of a model's files from a folder of this machine.

use std::path::{Path, PathBuf};

use super::Observer;
use super::catalogue::{Catalogue, WantedFile};
use super::copy::take;
use super::fetch::finish;
use super::lock::Lock;
use crate::{Error, ErrorCode, Result};

/// Copies every file of the model that `folder` has, at its path or by its name alone, and gives the model's folder.
///
/// # Errors
/// `usage` when the manifest has no such model; `setup` when the folder has none of its files; `integrity` when a file is not the
/// manifest's; `io`; `interrupted`. Files that are right stay, also when another fails.
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
    let mut taken = 0;
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
        let hash = take(&path, &file, observer)?;
        finish(&catalogue, name, &file, hash, "taken", observer)?;
        taken += 1;
    }
    if taken == 0 {
        let message = format!("{} has no file of {name} that can be taken", folder.display());
        let paths: Vec<String> = model.files().into_iter().map(|file| file.path).collect();
        return Err(Error::new(ErrorCode::Setup, message).with_hint(format!("its files are: {}", paths.join(", "))));
    }
    Ok(model.folder)
}

/// Where a folder has the file: at its path, or, where somebody put all files side by side, by its name.
fn found(folder: &Path, file: &WantedFile) -> Option<PathBuf> {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    [file.path.as_str(), name]
        .iter()
        .map(|path| folder.join(path))
        .find(|path| path.is_file())
}
