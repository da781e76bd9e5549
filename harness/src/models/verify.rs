//! Owns the check of what is there: every file of a model against the manifest's sizes and SHA-256s. It changes nothing.

use super::Observer;
use super::catalogue::{ModelFiles, State, WantedFile};
use super::hashing::hash_file;
use crate::Result;
use crate::model::provenance::Hash;

/// What was found of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is the manifest's.
    Right,
    /// It is not there.
    Missing,
    /// Its size is another; nothing else was looked at.
    OtherSize,
    /// Its SHA-256 is another.
    OtherHash(Hash),
    /// The manifest does not know its SHA-256, which is this.
    Unknown(Hash),
}

/// Looks at every file of a model.
///
/// # Errors
/// `io` when a file that is there cannot be read; `interrupted`.
pub fn verify(model: &ModelFiles, observer: &dyn Observer) -> Result<Vec<(WantedFile, Finding)>> {
    let look = |file: WantedFile| {
        let finding = match file.state() {
            State::Missing => Finding::Missing,
            State::Damaged => Finding::OtherSize,
            State::Present => {
                observer.begins(&file.path, file.bytes);
                let found = hash_file(&file.target, observer);
                observer.ended();
                match (file.sha256, found?.1) {
                    (Some(expected), found) if found == expected => Finding::Right,
                    (Some(_), found) => Finding::OtherHash(found),
                    (None, found) => Finding::Unknown(found),
                }
            }
        };
        Ok((file, finding))
    };
    model.files().into_iter().map(look).collect()
}
