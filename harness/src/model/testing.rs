//! Owns what tests need to run the embedded model: where it is, and where ONNX Runtime is. A test that finds no runtime says
//! so and passes: the library comes with the Python environment, which may not be set up yet.

use std::path::{Path, PathBuf};

use super::loaded::{LoadOptions, LoadedModel};
use super::provenance::Models;
use super::session::SessionOptions;

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

/// How to load a variant of the embedded model, or none, with the reason on stderr, when there is no runtime.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
pub(crate) fn tiny_options(variant: &str) -> Option<LoadOptions> {
    let Some(library) = runtime_library() else {
        eprintln!("left out: no ONNX Runtime library in py-runner/.venv, nor named by LLMZIP_ORT_LIB");
        return None;
    };
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
