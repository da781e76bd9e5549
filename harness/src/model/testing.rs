//! Owns what tests need to run the embedded model: where it is, and where ONNX Runtime is. A test that finds no runtime says
//! so and passes: the library comes with the Python environment, which may not be set up yet.

pub(crate) mod graphs;

use std::path::{Path, PathBuf};

use super::loaded::{LoadOptions, LoadedModel};
use super::provenance::Models;
use super::runtime::Runtime;
use super::session::SessionOptions;
use super::source::Logits;

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The ONNX Runtime library: that of `LLMZIP_ORT_LIB`, or of the Python environment.
pub(crate) fn runtime_library() -> Option<PathBuf> {
    if let Some(library) = std::env::var_os("LLMZIP_ORT_LIB") {
        return Some(PathBuf::from(library));
    }
    let environment = repository().join("py-runner").join(".venv");
    let mut packages = vec![environment.join("Lib").join("site-packages")];
    if let Ok(versions) = std::fs::read_dir(environment.join("lib")) {
        packages.extend(versions.filter_map(|version| Some(version.ok()?.path().join("site-packages"))));
    }
    let libraries = packages
        .iter()
        .filter_map(|packages| packages.join("onnxruntime").join("capi").read_dir().ok());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        name.starts_with("libonnxruntime.so") || name.starts_with("libonnxruntime.1") || name == "onnxruntime.dll"
    };
    libraries
        .flatten()
        .filter_map(|file| Some(file.ok()?.path()))
        .find(is_library)
}

#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn runtime_library_or_reason() -> Option<PathBuf> {
    let library = runtime_library();
    if library.is_none() {
        eprintln!("left out: no ONNX Runtime library in py-runner/.venv, nor named by LLMZIP_ORT_LIB");
    }
    library
}

/// ONNX Runtime, or none, with the reason on stderr.
pub(crate) fn runtime() -> Option<&'static Runtime> {
    let library = runtime_library_or_reason()?;
    Some(Runtime::open(&library).unwrap())
}

/// The values of a pass, which 32 bits hold whatever their type.
pub(crate) fn values(logits: Logits<'_>) -> Vec<f32> {
    match logits {
        Logits::F32(values) => values.to_vec(),
        Logits::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
    }
}

/// How to load a variant of the embedded model, or none, with the reason on stderr, when there is no runtime.
pub(crate) fn tiny_options(variant: &str) -> Option<LoadOptions> {
    let library = runtime_library_or_reason()?;
    let models = Models::find(repository()).unwrap();
    Some(LoadOptions::new(
        &library,
        &models.choose("tiny", Some(variant)).unwrap(),
    ))
}

/// A variant of the embedded model on one thread.
pub(crate) fn tiny(variant: &str) -> Option<LoadedModel> {
    tiny_with(variant, SessionOptions::default())
}

/// A variant of the embedded model with these options.
pub(crate) fn tiny_with(variant: &str, session: SessionOptions) -> Option<LoadedModel> {
    let options = LoadOptions {
        session,
        ..tiny_options(variant)?
    };
    Some(LoadedModel::load(&options).unwrap())
}
