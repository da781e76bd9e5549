//! Owns the writing down of a SHA-256 that the manifest did not know: into the manifest itself, so that from then on every runtime holds the
//! file to it. Nothing else of the manifest is changed, not even its comments.

use std::io::Write;
use std::path::Path;

use toml_edit::{DocumentMut, TableLike};

use crate::files::OutputFile;
use crate::model::provenance::Hash;
use crate::{Error, ErrorCode, Result};

/// Records the size and the SHA-256 of a file of a model.
///
/// # Errors
/// `setup` when the manifest cannot be used or has no such file any more; `integrity` when it has another SHA-256 by now; `io`.
pub fn record(manifest: &Path, model: &str, path: &str, bytes: u64, sha256: Hash) -> Result<()> {
    let text = std::fs::read_to_string(manifest).map_err(|error| Error::io("read", manifest, &error))?;
    let changed = with_hash(&text, model, path, bytes, sha256).map_err(|reason| {
        let message = format!(
            "the SHA-256 of {path} is not recorded in {}: {reason}",
            manifest.display()
        );
        Error::new(ErrorCode::Setup, message).with_hint("restore the manifest, then give the command again")
    })?;
    let mut file = OutputFile::create(manifest, true)?;
    file.write_all(changed.as_bytes())
        .map_err(|error| Error::io("write", manifest, &error))?;
    file.commit()
}

fn with_hash(text: &str, model: &str, path: &str, bytes: u64, sha256: Hash) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
    let models = document.get_mut("model").and_then(|item| item.as_array_of_tables_mut());
    let file = models
        .and_then(|models| models.iter_mut().find(|table| says(*table, "name", model)))
        .and_then(|table| table.get_mut("file")?.as_array_of_tables_mut())
        .and_then(|files| files.iter_mut().find(|table| says(*table, "path", path)))
        .ok_or_else(|| format!("it has no file {path} of {model} in the form [[model.file]]"))?;
    let bytes = i64::try_from(bytes).map_err(|_| format!("{bytes} bytes are too many"))?;
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
        for (model, path) in [("c", "x"), ("a", "y")] {
            assert!(with_hash(MANIFEST, model, path, 3, hash).is_err());
        }
        assert!(with_hash("model = 1", "a", "x", 3, hash).is_err());
        assert!(with_hash("model", "a", "x", 3, hash).is_err());
    }
}
