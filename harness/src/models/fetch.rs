//! Owns the order of a fetch: what is there already, what the hub's cache has, what a server is asked for.

use std::path::{Path, PathBuf};

use super::Observer;
use super::address::{file_address, folder_address};
use super::catalogue::{Catalogue, ModelFiles, Selection, State, WantedFile};
use super::copy::take;
use super::download::{Patience, download};
use super::hashing::hash_file;
use super::http::Client;
use super::hub::Hub;
use super::lock::Lock;
use super::record::{check_recordable, record};
use crate::model::provenance::Hash;
use crate::{Error, ErrorCode, Result};

/// How a model is fetched.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Which files.
    pub selection: Selection,
    /// Whether files are taken whose SHA-256 the manifest does not know; it is then recorded.
    pub accept_unknown: bool,
    /// The address of a folder with the model's files, in the place of the manifest's source.
    pub mirror: Option<String>,
    /// The hub as this machine is to see it.
    pub hub: Hub,
    /// How much is borne with a server.
    pub patience: Patience,
}

/// Sees that the files of a model are there and right, and gives its folder.
///
/// # Errors
/// `usage` for what the manifest does not have; `setup` when a file cannot be had, or the manifest lacks its entry; `integrity` when what can be had is another one, or
/// its SHA-256 is unknown and that is not accepted; `io`; `interrupted`. Files that are right stay, also when another fails.
pub fn fetch(manifest: &Path, name: &str, options: &FetchOptions, observer: &dyn Observer) -> Result<PathBuf> {
    let _lock = Lock::take(manifest.parent().unwrap_or(Path::new(".")))?;
    let catalogue = Catalogue::read(manifest)?;
    let model = catalogue.model(name)?;
    let wanted = model.wanted(&options.selection)?;
    // All that can be refused is, before anything is asked of anyone.
    for unknown in wanted.iter().filter(|file| file.sha256.is_none()) {
        if !options.accept_unknown {
            return Err(not_accepted(name, &unknown.path));
        }
        check_recordable(manifest, name, &unknown.path)?;
    }
    let address = address(&model, options)?;
    let cached = options.hub.cached(&model.record.source);
    let client = Client::new(
        options.patience.idle,
        // A mirror is not the hub.
        options.hub.token().filter(|_| options.mirror.is_none()),
    );
    for file in &wanted {
        if let Some(found) = found(file, observer)? {
            finish(&catalogue, name, file, found, "is there", observer)?;
        } else if let Some(found) = from_cache(cached.as_deref(), file, observer)? {
            finish(&catalogue, name, file, found, "taken from the hub's cache", observer)?;
        } else if options.hub.is_offline {
            return Err(offline(name, &file.path));
        } else {
            let address = address.as_ref().ok_or_else(|| no_source(&model))?;
            let url = file_address(address, &file.path)?;
            let found = download(&client, options.patience, &url, file, observer)?;
            finish(&catalogue, name, file, found, "fetched", observer)?;
        }
    }
    Ok(model.folder)
}

/// The address of the folder with the files, if there is one.
fn address(model: &ModelFiles, options: &FetchOptions) -> Result<Option<String>> {
    if let Some(mirror) = &options.mirror {
        return folder_address("--mirror", mirror).map(Some);
    }
    let record = &model.record;
    if !record.is_fetchable() {
        return Ok(None);
    }
    let is_pinned = |revision: &String| record.source.split('/').any(|part| part == revision);
    if !record.revision.as_ref().is_some_and(is_pinned) {
        let message = format!(
            "the source of {} names no revision, so that its files may change",
            record.name
        );
        return Err(Error::new(ErrorCode::Setup, message)
            .with_hint("give the model a revision in the manifest, and name it in the source"));
    }
    folder_address("the manifest's source", &options.hub.address(&record.source)).map(Some)
}

/// What is there of a file, if it is right. Where it is not, that is told, and it is fetched anew.
fn found(file: &WantedFile, observer: &dyn Observer) -> Result<Option<(u64, Hash)>> {
    match file.state() {
        State::Missing => return Ok(None),
        State::Damaged if file.target.is_dir() => {
            let message = format!("{} is a folder, where a file belongs", file.target.display());
            return Err(Error::new(ErrorCode::Io, message).with_hint("take it away"));
        }
        State::Damaged => (),
        State::Present => {
            observer.begins(&file.path, file.bytes);
            let found = hash_file(&file.target, observer);
            observer.ended();
            let found = found?;
            if file.sha256.is_none_or(|expected| expected == found.1) {
                return Ok(Some(found));
            }
        }
    }
    observer.says(&format!(
        "{}: what is there is not the manifest's file; it is replaced",
        file.path
    ));
    Ok(None)
}

fn from_cache(cache: Option<&Path>, file: &WantedFile, observer: &dyn Observer) -> Result<Option<(u64, Hash)>> {
    let Some(path) = cache
        .map(|folder| folder.join(&file.path))
        .filter(|path| path.is_file())
    else {
        return Ok(None);
    };
    match take(&path, file, observer) {
        Err(error) if error.code == ErrorCode::Integrity => {
            observer.says(&format!(
                "{}: not taken from the hub's cache: {}",
                file.path, error.message
            ));
            Ok(None)
        }
        taken => taken.map(Some),
    }
}

/// Records what the manifest did not know, and says what was done.
///
/// # Errors
/// As [`record`].
pub(super) fn finish(
    catalogue: &Catalogue,
    model: &str,
    file: &WantedFile,
    (bytes, sha256): (u64, Hash),
    how: &str,
    observer: &dyn Observer,
) -> Result<()> {
    if file.sha256.is_some() {
        observer.says(&format!(
            "{}: {how}, {bytes} bytes, its SHA-256 is the manifest's",
            file.path
        ));
        return Ok(());
    }
    record(catalogue.file(), model, &file.path, bytes, sha256)?;
    observer.says(&format!(
        "{}: {how}, {bytes} bytes; its SHA-256 was unknown and is now recorded in {}: {sha256}",
        file.path,
        catalogue.file().display()
    ));
    Ok(())
}

fn not_accepted(model: &str, path: &str) -> Error {
    Error::new(
        ErrorCode::Integrity,
        format!("the manifest knows no SHA-256 of {path} of {model}, so nothing can tell a wrong file"),
    )
    .with_hint("--accept-unknown takes it as it comes, and records its SHA-256 in the manifest")
}

fn offline(model: &str, path: &str) -> Error {
    Error::new(
        ErrorCode::Setup,
        format!("{path} of {model} is not on this machine, and HF_HUB_OFFLINE forbids to ask for it"),
    )
    .with_hint(format!(
        "unset HF_HUB_OFFLINE, or take the file from a folder: `cargo run -- models import {model} FOLDER`"
    ))
}

fn no_source(model: &ModelFiles) -> Error {
    let name = &model.record.name;
    Error::new(
        ErrorCode::Setup,
        format!(
            "the manifest has no address for {name}; its source is: {}",
            model.record.source
        ),
    )
    .with_hint(format!(
        "name one with --mirror, or take it from a folder: `cargo run -- models import {name} FOLDER`"
    ))
}
