//! Owns the taking of a file that is on this machine already: what is hashed is what is copied, and it takes its name only when it is right.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;

use super::Observer;
use super::catalogue::WantedFile;
use super::hashing::copy_hashed;
use super::partial::{forget, make_folder_of, sync_folder_of};
use crate::model::provenance::Hash;
use crate::{Error, ErrorCode, Result};

/// How a file begins that stands for one that Git LFS has not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// Copies the file `from` to where `file` belongs, and gives its size and SHA-256.
///
/// # Errors
/// `integrity` when it is not the manifest's; `io`; `interrupted`.
pub fn take(from: &Path, file: &WantedFile, observer: &dyn Observer) -> Result<(u64, Hash)> {
    let opened = |error: &std::io::Error| Error::io("read", from, error);
    // Links are followed: the hub's cache is made of them. A pipe or a device would never end.
    let metadata = fs::metadata(from).map_err(|error| opened(&error))?;
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorCode::Io,
            format!("{} is no regular file", from.display()),
        ));
    }
    let mut source = File::open(from).map_err(|error| opened(&error))?;
    if let Some(expected) = file.bytes
        && metadata.len() != expected
    {
        let message = format!(
            "{} has {} bytes, it must have {expected}",
            from.display(),
            metadata.len()
        );
        return Err(Error::new(ErrorCode::Integrity, message).with_hint(hint(&mut source)));
    }
    make_folder_of(&file.target)?;
    let folder = file.target.parent().unwrap_or(Path::new("."));
    let failed = |error: &std::io::Error| Error::io("write", &file.target, error);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".llmzip-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut copy = builder.tempfile_in(folder).map_err(|error| failed(&error))?;
    observer.begins(&file.path, Some(metadata.len()));
    let copied = copy_hashed(&mut source, from, &mut copy, observer);
    observer.ended();
    let (length, hash) = copied?;
    if let Some(expected) = file.sha256
        && hash != expected
    {
        let message = format!("{} has the SHA-256 {hash}, it must have {expected}", from.display());
        return Err(Error::new(ErrorCode::Integrity, message).with_hint(hint(&mut source)));
    }
    copy.as_file().sync_all().map_err(|error| failed(&error))?;
    copy.persist(&file.target).map_err(|error| failed(&error.error))?;
    forget(&file.target)?;
    sync_folder_of(&file.target)?;
    Ok((length, hash))
}

fn hint(source: &mut File) -> &'static str {
    let mut beginning = [0; LFS_POINTER.len()];
    let is_pointer =
        source.rewind().and_then(|()| source.read_exact(&mut beginning)).is_ok() && beginning == LFS_POINTER;
    if is_pointer {
        "it only stands for the file: get the file itself with `git lfs pull`"
    } else {
        "the file is damaged or another one; get the one that the manifest means"
    }
}
