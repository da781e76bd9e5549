//! Owns what tests need to run the embedded model: where it is, and where ONNX Runtime is. A test that finds no runtime says
//! so and passes, unless nothing may be left out: the library comes with the Python environment, which may not be set up yet.

pub(crate) mod graphs;

use std::path::{Path, PathBuf};

use super::loaded::{LoadOptions, LoadedModel};
use super::provenance::Models;
use super::runtime::Runtime;
use super::session::SessionOptions;
use super::source::Logits;
use crate::setup::layout::Layout;
use crate::setup::library;

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The ONNX Runtime library, or none, with the reason on stderr.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn runtime_library() -> Option<PathBuf> {
    let found = library::find(&Layout::at(repository()));
    if let Err(error) = &found {
        assert!(
            std::env::var_os("LLMZIP_LEAVE_NOTHING_OUT").is_none(),
            "left out: {error}"
        );
        eprintln!("left out: {error}");
    }
    found.ok()
}

/// ONNX Runtime, or none, with the reason on stderr.
pub(crate) fn runtime() -> Option<&'static Runtime> {
    let library = runtime_library()?;
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
    let library = runtime_library()?;
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
