//! Owns the SHA-256 that stands for a model (FORMAT.md, section 2). It opens no file.

use super::Hash;

/// The SHA-256 that stands for a model: that of its ONNX file, or, when weights lie in files beside it, that of a list of all of
/// them (FORMAT.md, section 2). `data` has their names and hashes, in any order.
#[must_use]
pub fn model_identity(onnx: Hash, data: &[(&str, Hash)]) -> Hash {
    if data.is_empty() {
        return onnx;
    }
    let mut lines: Vec<_> = data.iter().map(|(name, hash)| (name, hash)).collect();
    lines.sort();
    let lines = lines.iter().map(|(name, hash)| format!("{hash}  {name}\n"));
    // No ONNX file begins with this first line, so that a list is never taken for one.
    Hash::of(format!("files\n{onnx}\n{}", lines.collect::<String>()).as_bytes())
}
