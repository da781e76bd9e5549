//! Owns the reading of a graph's files: the ONNX file and those beside it that hold weights of it, under one SHA-256 that covers
//! them all (FORMAT.md, section 2). What was hashed is what is loaded. It runs nothing.

use std::path::Path;
use std::sync::Arc;

use super::exactness::METADATA_KEY;
use super::graph::GraphFacts;
use super::provenance::{Hash, VerifiedBytes, model_identity};
use crate::{Error, ErrorCode, Result};

/// A file of weights.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Its name, as the ONNX file beside it has it.
    pub name: String,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The files of one graph.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The bytes of the ONNX file.
    pub onnx: Vec<u8>,
    /// The files of weights, in the order of their names; none when all weights are in the ONNX file.
    pub data: Vec<DataFile>,
    /// The model's SHA-256.
    pub sha256: Hash,
}

impl ModelFiles {
    /// A model that is one file.
    #[must_use]
    pub fn of_one_file(onnx: Vec<u8>) -> Self {
        let sha256 = Hash::of(&onnx);
        Self {
            onnx,
            data: Vec::new(),
            sha256,
        }
    }

    /// Reads the ONNX file at `path` and every file that it names, and holds their SHA-256 to `expected` where one is known.
    ///
    /// # Errors
    /// `setup` when a file is not there, `io` when one cannot be read, `integrity` when the SHA-256 is another, `model` when a weight
    /// lies behind the end of its file.
    pub fn read(path: &Path, expected: Option<Hash>) -> Result<Self> {
        let onnx = VerifiedBytes::read(path, None)?;
        // What cannot be read names no files; that it cannot be used is said when it is loaded, if it is the right file.
        let ends = GraphFacts::parse(&onnx.bytes).map(|facts| facts.data_files);
        let ends = ends.unwrap_or_default();
        let (mut data, mut hashes) = (Vec::new(), Vec::new());
        for name in ends.keys() {
            let file = VerifiedBytes::read(&path.with_file_name(name), None)?;
            hashes.push((name.as_str(), file.sha256));
            data.push(DataFile {
                name: name.clone(),
                bytes: file.bytes.into(),
            });
        }
        let sha256 = model_identity(onnx.sha256, &hashes);
        if let Some(expected) = expected {
            sha256.check(expected, &described(path, onnx.sha256, &hashes))?;
        }
        for (file, end) in data.iter().zip(ends.values()) {
            if (file.bytes.len() as u64) < *end {
                let there = file.bytes.len();
                let message = format!("{} has {there} bytes, but a weight ends at byte {end}", file.name);
                return Err(Error::new(ErrorCode::Model, message).with_hint("get the model's files again, all of them"));
            }
        }
        Ok(Self {
            onnx: onnx.bytes,
            data,
            sha256,
        })
    }

    /// Holds what the graph says of its weights' places to the files that are here.
    ///
    /// # Errors
    /// `unsupported` when weights lie in other files than these, or in these although the graph says that it is exact.
    pub(super) fn check(&self, facts: &GraphFacts) -> Result<()> {
        let here = |name: &String| self.data.iter().any(|file| file.name == *name);
        if facts.hidden_data || !facts.data_files.keys().all(here) {
            let message = "the model keeps weights in other files, where this runner does not look for them";
            let hint =
                "only initializers of the graph itself may lie in files beside it; or use a model that is one file";
            return Err(Error::new(ErrorCode::Unsupported, message).with_hint(hint));
        }
        if !self.data.is_empty() && facts.metadata.contains_key(METADATA_KEY) {
            let message = "the graph says that it is exact, but keeps weights in other files";
            return Err(Error::new(ErrorCode::Unsupported, message).with_hint("use an exact graph that is one file"));
        }
        Ok(())
    }
}

/// The files that a SHA-256 covers, as an error names them: one can see which of them is another.
fn described(path: &Path, onnx: Hash, data: &[(&str, Hash)]) -> String {
    if data.is_empty() {
        return path.display().to_string();
    }
    let files = data.iter().map(|(name, hash)| format!(", {name} {hash}"));
    format!(
        "{} with its files of weights ({onnx}{})",
        path.display(),
        files.collect::<String>()
    )
}

#[cfg(test)]
mod tests;
