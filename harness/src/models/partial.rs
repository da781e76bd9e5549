//! Owns the unfinished half of a download, which the next attempt goes on with: `NAME.partial` beside the file's own name, and
//! `NAME.partial.etag`, by which the server can tell whether it still has the same file. It judges no content.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Observer;
use super::hashing::copy_hashed;
use crate::model::provenance::Hash;
use crate::{Error, ErrorCode, Result};

/// No ETag that was kept is longer.
const MOST_ETAG_BYTES: u64 = 1024;

/// A file that is not whole yet.
#[derive(Debug)]
pub struct Partial {
    target: PathBuf,
    path: PathBuf,
    etag_path: PathBuf,
    file: File,
    length: u64,
}

impl Partial {
    /// That of `target`, whatever is there of it; its folder is made.
    ///
    /// # Errors
    /// `io`.
    pub fn open(target: &Path) -> Result<Self> {
        let [path, etag_path] = paths_of(target);
        make_folder_of(target)?;
        // What is no file of our making, such as a link or a pipe, is not written into.
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(
                Error::new(ErrorCode::Io, format!("{} is no regular file", path.display())).with_hint("take it away"),
            );
        }
        let failed = |error: &io::Error| Error::io("write", &path, error);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        let length = file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        Ok(Self {
            target: target.to_owned(),
            path,
            etag_path,
            file,
            length,
        })
    }

    /// Bytes that are there.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The ETag of the file that they are the beginning of.
    #[must_use]
    pub fn etag(&self) -> Option<String> {
        let mut text = String::new();
        let file = File::open(&self.etag_path).ok()?;
        file.take(MOST_ETAG_BYTES).read_to_string(&mut text).ok()?;
        let is_strong = text.starts_with('"') && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        is_strong.then_some(text)
    }

    /// Begins anew, with a file of this ETag.
    ///
    /// # Errors
    /// `io`.
    pub fn restart(&mut self, etag: Option<&str>) -> Result<()> {
        // In this order, so that no bytes stand beside an ETag that is not theirs.
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|error| Error::io("write", &self.path, &error))?;
        self.length = 0;
        match etag {
            Some(etag) => fs::write(&self.etag_path, etag).map_err(|error| Error::io("write", &self.etag_path, &error)),
            None => remove(&self.etag_path),
        }
    }

    /// Goes on.
    ///
    /// # Errors
    /// `io`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| {
            Error::io("write", &self.path, &error)
                .with_hint("see that there is room on the disk; the same command then goes on where this one ended")
        })?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// The SHA-256 of what lies on the disk.
    ///
    /// # Errors
    /// `io`; `interrupted`.
    pub fn hash(&mut self, observer: &dyn Observer) -> Result<Hash> {
        self.file
            .sync_all()
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(|error| Error::io("write", &self.path, &error))?;
        Ok(copy_hashed(&mut self.file, &self.path, &mut io::sink(), observer)?.1)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// `io`.
    pub fn finish(self) -> Result<()> {
        drop(self.file);
        fs::rename(&self.path, &self.target).map_err(|error| Error::io("write", &self.target, &error))?;
        remove(&self.etag_path)?;
        sync_folder_of(&self.target)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// `io`.
    pub fn discard(self) -> Result<()> {
        drop(self.file);
        remove(&self.path)?;
        remove(&self.etag_path)
    }
}

/// The unfinished file of `target`, and its ETag.
fn paths_of(target: &Path) -> [PathBuf; 2] {
    [".partial", ".partial.etag"].map(|suffix| {
        let mut name = OsString::from(target.file_name().unwrap_or_default());
        name.push(suffix);
        target.with_file_name(name)
    })
}

/// Takes away what was begun of a file that came whole from elsewhere.
///
/// # Errors
/// `io`.
pub fn forget(target: &Path) -> Result<()> {
    let is_ours = |path: &&PathBuf| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    paths_of(target)
        .iter()
        .filter(is_ours)
        .try_for_each(|path| remove(path))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Makes the folder that a file is to lie in.
///
/// # Errors
/// `io`.
pub fn make_folder_of(target: &Path) -> Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| Error::io("make the folder", folder, &error))
}

/// Sees that a new name outlasts a loss of power, where folders can be told to.
///
/// # Errors
/// `io`.
pub fn sync_folder_of(target: &Path) -> Result<()> {
    if cfg!(unix) {
        let folder = target.parent().unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Error::io("write", folder, &error))?;
    }
    Ok(())
}
