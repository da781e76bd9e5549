//! Owns that one fetch or import at a time writes beside a manifest. A lock ends with its process, however that ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::{Error, ErrorCode, Result};

const NAME: &str = ".fetch.lock";

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it would do, but for a process that was forked off meanwhile and has it open for another moment.
        let _ = self.0.unlock();
    }
}

impl Lock {
    /// Takes the lock of a manifest's folder.
    ///
    /// # Errors
    /// `setup` when another process has it; `io`.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        // Not taken away afterwards: whoever opened it meanwhile would have a lock of its own.
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Error::io("write", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorCode::Setup,
                format!("another process is fetching into {}", folder.display()),
            )
            .with_hint("wait for its end, then give the command again")),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", &path, &error)),
        }
    }
}
