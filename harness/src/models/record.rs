//! Owns the writing down of a SHA-256 that the manifest did not know: into the manifest itself, so that from then on every runtime holds the
//! file to it. Nothing else of the manifest is changed, not even its comments.

use std::io::Write;
use std::path::Path;

use toml_edit::{DocumentMut, Table, TableLike};

use crate::files::OutputFile;
use crate::model::provenance::Hash;
use crate::model::provenance::manifest::UNKNOWN;
use crate::{Error, ErrorCode, Result};

/// Why nothing is recorded.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// The manifest cannot be changed.
    Form(String),
    /// It has another SHA-256.
    OtherHash(String),
}

/// Sees that the SHA-256 of a file can be recorded, before the file is taken.
///
/// # Errors
/// `setup` when the manifest does not have the file in the form that is written to; `integrity` when it has a SHA-256; `io`.
pub fn check_recordable(manifest: &Path, model: &str, path: &str) -> Result<()> {
    let text = read(manifest)?;
    let checked = parse(&text).and_then(|mut document| {
        let known = known(entry(&mut document, model, path)?);
        known.map_or(Ok(()), |known| Err(Refusal::OtherHash(known)))
    });
    checked.map_err(|refusal| refusal.told(manifest, path))
}

/// Records the size and the SHA-256 of a file of a model.
///
/// # Errors
/// `setup` when the manifest cannot be used or has no such file any more; `integrity` when it has another SHA-256 by now; `io`.
pub fn record(manifest: &Path, model: &str, path: &str, bytes: u64, sha256: Hash) -> Result<()> {
    let text = read(manifest)?;
    let changed = with_hash(&text, model, path, bytes, sha256).map_err(|refusal| refusal.told(manifest, path))?;
    let mut file = OutputFile::create(manifest, true)?;
    file.write_all(changed.as_bytes())
        .map_err(|error| Error::io("write", manifest, &error))?;
    file.commit()
}

impl Refusal {
    fn told(self, manifest: &Path, path: &str) -> Error {
        let (code, reason, hint) = match self {
            Self::Form(reason) => (
                ErrorCode::Setup,
                reason,
                format!("give the file an entry of its own in the manifest: a line [[model.file]], below it path = \"{path}\""),
            ),
            Self::OtherHash(known) => (
                ErrorCode::Integrity,
                format!("it has {known} there"),
                "see which SHA-256 is right; where it is the other, put \"unknown\" in its place, then give the command again"
                    .to_owned(),
            ),
        };
        let manifest = manifest.display();
        Error::new(
            code,
            format!("the SHA-256 of {path} cannot be recorded in {manifest}: {reason}"),
        )
        .with_hint(hint)
    }
}

fn read(manifest: &Path) -> Result<String> {
    std::fs::read_to_string(manifest).map_err(|error| Error::io("read", manifest, &error))
}

fn parse(text: &str) -> Result<DocumentMut, Refusal> {
    text.parse().map_err(|error| Refusal::Form(format!("{error}")))
}

/// A file's table in the manifest.
fn entry<'a>(document: &'a mut DocumentMut, model: &str, path: &str) -> Result<&'a mut Table, Refusal> {
    let models = document.get_mut("model").and_then(|item| item.as_array_of_tables_mut());
    models
        .and_then(|models| models.iter_mut().find(|table| says(*table, "name", model)))
        .and_then(|table| table.get_mut("file")?.as_array_of_tables_mut())
        .and_then(|files| files.iter_mut().find(|table| says(*table, "path", path)))
        .ok_or_else(|| Refusal::Form(format!("it has no file {path} of {model} in the form [[model.file]]")))
}

/// The SHA-256 that an entry has, or whatever stands in its place.
fn known(entry: &Table) -> Option<String> {
    let item = entry.get("sha256")?;
    match item.as_str() {
        Some(UNKNOWN) => None,
        Some(text) => Some(text.to_owned()),
        None => Some(item.to_string().trim().to_owned()),
    }
}

fn with_hash(text: &str, model: &str, path: &str, bytes: u64, sha256: Hash) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    let file = entry(&mut document, model, path)?;
    if let Some(known) = known(file).filter(|known| *known != sha256.to_string()) {
        return Err(Refusal::OtherHash(known));
    }
    let bytes = i64::try_from(bytes).map_err(|_| Refusal::Form(format!("{bytes} bytes are too many")))?;
    file["bytes"] = toml_edit::value(bytes);
    file["sha256"] = toml_edit::value(sha256.to_string());
    Ok(document.to_string())
}

fn says(table: &dyn TableLike, key: &str, expected: &str) -> bool {
    table.get(key).and_then(|item| item.as_str()) == Some(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "# A comment.\nversion = 1\n\n[[model]]\nname = 'a' # Another.\n\n[[model.file]]\npath = 'x'\nbytes = 3\n\
        sha256 = \"unknown\"\n\n[[model]]\nname = 'b'\n\n[[model.file]]\npath = 'x'\n";

    #[test]
    fn a_hash_is_recorded_and_nothing_else_is_changed() {
        let hash = Hash::of(b"abc");
        let known = MANIFEST.replace("\"unknown\"", &format!("\"{hash}\""));
        assert_eq!(with_hash(MANIFEST, "a", "x", 3, hash).unwrap(), known);
        let added = format!("{MANIFEST}bytes = 3\nsha256 = \"{hash}\"\n");
        assert_eq!(with_hash(MANIFEST, "b", "x", 3, hash).unwrap(), added);
        assert_eq!(
            with_hash(&known, "a", "x", 3, hash).unwrap(),
            known,
            "the same once more"
        );
        let inline = "[[model]]\nname = 'a'\nfile = [{ path = 'x' }]\n";
        for (text, model, path) in [
            (MANIFEST, "c", "x"),
            (MANIFEST, "a", "y"),
            (inline, "a", "x"),
            ("model = 1", "a", "x"),
            ("model", "a", "x"),
        ] {
            let refused = with_hash(text, model, path, 3, hash);
            assert!(matches!(refused, Err(Refusal::Form(_))), "{text}: {refused:?}");
        }
    }

    #[test]
    fn no_hash_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("manifest.toml");
        let other = Hash::of(b"abd").to_string();
        for there in [format!("\"{other}\""), "\"\"".to_owned(), "7".to_owned()] {
            let text = MANIFEST.replace("\"unknown\"", &there);
            std::fs::write(&manifest, &text).unwrap();
            for error in [
                check_recordable(&manifest, "a", "x").unwrap_err(),
                record(&manifest, "a", "x", 3, Hash::of(b"abc")).unwrap_err(),
            ] {
                assert_eq!(error.code, ErrorCode::Integrity, "{there}: {error}");
            }
            assert_eq!(std::fs::read_to_string(&manifest).unwrap(), text);
        }
        std::fs::write(&manifest, MANIFEST).unwrap();
        for model in ["a", "b"] {
            check_recordable(&manifest, model, "x").unwrap();
        }
        let error = check_recordable(&manifest, "c", "x").unwrap_err();
        assert_eq!(error.code, ErrorCode::Setup);
        assert!(error.hint.contains("[[model.file]]"), "{error}");
    }
}
