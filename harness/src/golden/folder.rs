//! Owns the folder of a model's goldens: it is read as a whole, every file held to the header, and replaced as a whole. It
//! compares no answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::beside;
use super::record::{Asked, FileEntry, HEADER_FILE, Header, VERSION};
use super::repair_command;
use crate::conform::inputs::sha256;
use crate::{Error, ErrorCode, Result};

/// No golden file is longer, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A folder's files by path relative to it, the header aside.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads the goldens of `model` in `folder`, which must answer exactly what is `asked` now.
///
/// # Errors
/// `setup` when there are none; `integrity` when they are stale, or not what the header says; `io`.
pub fn read(folder: &Path, model: &str, asked: &[Asked]) -> Result<(Header, Files)> {
    if !folder.is_dir() {
        return Err(Error::new(
            ErrorCode::Setup,
            format!("there are no goldens of {model}: no folder {}", folder.display()),
        )
        .with_hint(format!("make them: {}", repair_command(model))));
    }
    let damaged = |what: String| {
        Error::new(
            ErrorCode::Integrity,
            format!("{} is not as it was written: {what}", folder.display()),
        )
        .with_hint(format!(
            "restore the folder from the repository, or make it anew: {}",
            repair_command(model)
        ))
    };
    let text = read_file(folder, HEADER_FILE).map_err(damaged)?;
    let header: Header = serde_json::from_slice(&text).map_err(|source| damaged(format!("{HEADER_FILE}: {source}")))?;
    if header.version != VERSION {
        return Err(damaged(format!("it has version {}, not {VERSION}", header.version)));
    }
    check_fresh(folder, model, &header, asked)?;
    let listed: Vec<&str> = header.files.iter().map(|file| file.path.as_str()).collect();
    if listed != beside::paths(asked) {
        return Err(damaged(format!(
            "{HEADER_FILE} does not list the files that belong to it"
        )));
    }
    if let Some(stray) = names(folder, "")?
        .into_iter()
        .find(|name| name != HEADER_FILE && !listed.contains(&name.as_str()))
    {
        return Err(damaged(format!("{stray} belongs to no golden")));
    }
    let mut files = Files::new();
    for file in &header.files {
        let bytes = read_file(folder, &file.path).map_err(damaged)?;
        let found = sha256(&bytes);
        if found != file.sha256 || bytes.len() as u64 != file.bytes {
            return Err(damaged(format!(
                "{} has the SHA-256 {found}, {HEADER_FILE} says {}",
                file.path, file.sha256
            )));
        }
        files.insert(file.path.clone(), bytes);
    }
    Ok((header, files))
}

/// A golden of another model, or of other questions, says nothing about this machine.
fn check_fresh(folder: &Path, model: &str, header: &Header, asked: &[Asked]) -> Result<()> {
    let mut differences = Vec::new();
    if header.model != model {
        differences.push(format!("it is of the model {}", header.model));
    }
    for now in asked {
        match header.variants.iter().find(|variant| variant.asked.name == now.name) {
            None => differences.push(format!("it has nothing of {}", now.name)),
            Some(variant) => {
                let of_variant = variant.asked.differences(now)?;
                differences.extend(of_variant.into_iter().map(|what| format!("{}: {what}", now.name)));
            }
        }
    }
    for variant in &header.variants {
        if !asked.iter().any(|now| now.name == variant.asked.name) {
            differences.push(format!("it has {}, which is not asked", variant.asked.name));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Integrity,
        format!("{} is stale: {}", folder.display(), differences.join("; ")),
    )
    .with_hint(format!("make it anew: {}", repair_command(model))))
}

/// Puts `header` and `files` in the place of `folder`, whole or not at all.
///
/// # Errors
/// `io`; the folder is then what it was.
pub fn replace(folder: &Path, header: &Header, files: &Files) -> Result<()> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, &source))?;
    let scratch = tempfile::Builder::new()
        .prefix(".llmzip-")
        .tempdir_in(parent)
        .map_err(|source| Error::io("make a folder in", parent, &source))?;
    // Not the scratch folder itself, which nobody else may read.
    let (new, old) = (scratch.path().join("new"), scratch.path().join("old"));
    for (path, bytes) in files {
        write_file(&new.join(path), bytes)?;
    }
    write_file(&new.join(HEADER_FILE), header_text(header)?.as_bytes())?;
    let rename = |from: &Path, to: &Path| {
        fs::rename(from, to).map_err(|source| Error::io(&format!("rename {} to", from.display()), to, &source))
    };
    if !folder.exists() {
        return rename(&new, folder);
    }
    rename(folder, &old)?;
    rename(&new, folder).map_err(|error| {
        if fs::rename(&old, folder).is_ok() {
            return error;
        }
        let kept = scratch.keep().join("old");
        error.with_hint(format!(
            "the goldens as they were are in {}; rename it back",
            kept.display()
        ))
    })
}

/// The entries of a header for `files`.
#[must_use]
pub fn entries(files: &Files) -> Vec<FileEntry> {
    let entry = |(path, bytes): (&String, &Vec<u8>)| FileEntry {
        path: path.clone(),
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    files.iter().map(entry).collect()
}

fn header_text(header: &Header) -> Result<String> {
    let text = serde_json::to_string_pretty(header)
        .map_err(|source| Error::new(ErrorCode::Internal, format!("cannot write a golden header: {source}")))?;
    Ok(text + "\n")
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| Error::io("make", folder, &source))?;
    }
    fs::write(path, bytes).map_err(|source| Error::io("write", path, &source))
}

/// A sentence says what is wrong.
fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(name);
    let failed = |source| format!("cannot read {name}: {source}");
    let length = fs::metadata(&path).map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(format!("{name} has {length} bytes, more than any golden"));
    }
    fs::read(&path).map_err(failed)
}

/// Every file below `folder`, relative to it.
fn names(folder: &Path, prefix: &str) -> Result<Vec<String>> {
    let failed = |source| Error::io("read", folder, &source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            found.extend(names(&entry.path(), &format!("{name}/"))?);
        } else {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
