//! Owns the files that are read, and those that appear whole or not at all. It looks into no content.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::stdio::duplicate_stdout;
use crate::{Error, ErrorCode, Result};

/// A folder for what is needed for a while; it goes when it is dropped.
///
/// # Errors
/// `io`.
pub fn scratch_folder() -> Result<TempDir> {
    // Absolute, as the runners are told of it.
    let parent = std::env::temp_dir();
    std::path::absolute(&parent)
        .and_then(|parent| tempfile::Builder::new().prefix("llmzip-").tempdir_in(parent))
        .map_err(|source| Error::io("make a scratch folder in", &parent, &source))
}

/// Opens a file to read.
///
/// # Errors
/// `io`.
pub fn open_input(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(|source| {
        Error::io("open", path, &source).with_hint("see that the name is right and the file readable")
    })
}

/// Opens a file that a runner says it wrote, and gives its length. Whatever lies there must neither block nor be endless.
///
/// # Errors
/// `runner` when it is not there, or no regular file, such as a link or a pipe; `io` when it cannot be opened.
pub fn open_written(path: &Path) -> Result<(File, u64)> {
    let failed = |source: &io::Error| match source.kind() {
        io::ErrorKind::NotFound => {
            let message = format!("{} is not there, which the runner says it wrote", path.display());
            Error::new(ErrorCode::Runner, message)
                .with_hint("a file must be complete, and under its name, before the result is sent")
        }
        _ => Error::io("open", path, source),
    };
    let regular = |metadata: &Metadata| {
        if metadata.is_file() {
            return Ok(metadata.len());
        }
        let message = format!("{} is no regular file", path.display());
        Err(Error::new(ErrorCode::Runner, message).with_hint("the runner must write its output to a file of its own"))
    };
    regular(&path.symlink_metadata().map_err(|source| failed(&source))?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // What was looked at may since be something else: a pipe then does not block, a link is not followed.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(|source| failed(&source))?;
    let length = regular(&file.metadata().map_err(|source| failed(&source))?)?;
    Ok((file, length))
}

/// As [`open_written`], for a file whose length is known.
///
/// # Errors
/// Also `runner` when it has another length.
pub fn open_written_of(path: &Path, length: u64) -> Result<File> {
    let (file, found) = open_written(path)?;
    if found != length {
        return Err(Error::new(
            ErrorCode::Runner,
            format!(
                "{} has {found} bytes where the runner's answer says {length}",
                path.display()
            ),
        ));
    }
    Ok(file)
}

/// A file that is being written. It takes its name by [`OutputFile::commit`] and leaves nothing behind otherwise; a device or
/// a pipe is written to as it is.
#[derive(Debug)]
pub struct OutputFile {
    /// As it was named, for messages.
    path: PathBuf,
    /// What is replaced: a link keeps pointing to what it points to.
    target: PathBuf,
    overwrite: bool,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Temporary(NamedTempFile),
    Device(File),
}

impl OutputFile {
    /// Starts a file that will be named `path`.
    ///
    /// # Errors
    /// `usage` when there is a folder of that name, or a file and `overwrite` is not set; `io` when nothing can be made there.
    pub fn create(path: &Path, overwrite: bool) -> Result<Self> {
        let failed = |error: &io::Error| Error::io("write", path, error);
        let target = follow_links(path).map_err(|error| failed(&error))?;
        let special = target
            .metadata()
            .is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        let content = if special {
            Content::Device(
                File::options()
                    .write(true)
                    .open(&target)
                    .map_err(|error| failed(&error))?,
            )
        } else {
            refuse_existing(&target, path, overwrite)?;
            Content::Temporary(temporary_beside(&target).map_err(|error| {
                // Of the kind alone: the full words name the temporary file.
                failed(&error.kind().into()).with_hint("see that the folder is there, writable and has room")
            })?)
        };
        Ok(Self {
            path: path.to_owned(),
            target,
            overwrite,
            content,
        })
    }

    /// Stdout, which is written to as it is.
    ///
    /// # Errors
    /// `io`.
    pub fn stdout() -> Result<Self> {
        let path = PathBuf::from("stdout");
        Ok(Self {
            target: path.clone(),
            path,
            overwrite: false,
            content: Content::Device(duplicate_stdout()?),
        })
    }

    /// The name that the file will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a file that will take a name, and no device or pipe.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        matches!(self.content, Content::Temporary(_))
    }

    /// What was written so far, from its beginning.
    ///
    /// # Errors
    /// `usage` for a device or a pipe, of which nothing can be read back; `io`.
    pub fn read_back(&self) -> Result<File> {
        match &self.content {
            Content::Temporary(file) => file
                .reopen()
                .map_err(|error| Error::io("read back", &self.path, &error)),
            Content::Device(_) => {
                let message = format!("{} cannot be read back", self.path.display());
                Err(Error::new(ErrorCode::Usage, message).with_hint("name a file to write to"))
            }
        }
    }

    /// Gives the file its name. Nothing may be written after.
    ///
    /// # Errors
    /// `io` when it cannot be renamed; `usage` when another file has taken the name and may not be overwritten.
    pub fn commit(self) -> Result<()> {
        match self.content {
            Content::Device(_) => Ok(()),
            Content::Temporary(file) if self.overwrite => {
                file.persist(&self.target)
                    .map_err(|error| Error::io("write", &self.path, &error.error))?;
                Ok(())
            }
            Content::Temporary(file) => match file.persist_noclobber(&self.target) {
                Ok(_) => Ok(()),
                Err(error) => {
                    refuse_existing(&self.target, &self.path, false)?;
                    Err(Error::io("write", &self.path, &error.error))
                }
            },
        }
    }

    fn file(&mut self) -> &mut File {
        match &mut self.content {
            Content::Temporary(file) => file.as_file_mut(),
            Content::Device(file) => file,
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file().seek(position)
    }
}

/// What is to be written for a name: a link keeps pointing to what it points to, also where that is not there yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    loop {
        match target.canonicalize() {
            // Nothing is there, or a link to nothing. Links cannot lead in a circle here: that is another error.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match target.read_link() {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(target),
        }
    }
}

fn refuse_existing(target: &Path, path: &Path, overwrite: bool) -> Result<()> {
    if target.is_dir() {
        let message = format!("{} is a folder", path.display());
        return Err(Error::new(ErrorCode::Usage, message).with_hint("name a file to write to"));
    }
    if !overwrite && target.exists() {
        let message = format!("{} is already there", path.display());
        return Err(Error::new(ErrorCode::Usage, message).with_hint("give -f to replace it, or another name"));
    }
    Ok(())
}

fn temporary_beside(target: &Path) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".llmzip-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As for any new file: the umask takes its part away.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests;
