//! Owns the SHA-256 of what is too large to be held in memory, taken while it is copied or read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Observer;
use crate::model::provenance::Hash;
use crate::{Error, Result, interrupt};

const PIECE_BYTES: usize = 1 << 18;

/// Copies `from`, named `path` in errors, to `to`, and gives the number of bytes and their SHA-256.
///
/// # Errors
/// `io`; `interrupted`.
pub fn copy_hashed(
    from: &mut impl Read,
    path: &Path,
    to: &mut impl Write,
    observer: &dyn Observer,
) -> Result<(u64, Hash)> {
    let mut piece = vec![0; PIECE_BYTES];
    let (mut done, mut digest) = (0_u64, Sha256::new());
    loop {
        interrupt::check()?;
        let count = match from.read(&mut piece) {
            Ok(0) => return Ok((done, Hash(digest.finalize().into()))),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("read", path, &error)),
        };
        let bytes = &piece[..count];
        to.write_all(bytes)
            .map_err(|error| Error::io("copy", path, &error).with_hint("see that there is room on the disk"))?;
        digest.update(bytes);
        done += count as u64;
        observer.reached(done);
    }
}

/// The number of bytes of a file and their SHA-256.
///
/// # Errors
/// `io`; `interrupted`.
pub fn hash_file(path: &Path, observer: &dyn Observer) -> Result<(u64, Hash)> {
    let mut file = File::open(path).map_err(|error| Error::io("open", path, &error))?;
    copy_hashed(&mut file, path, &mut io::sink(), observer)
}
