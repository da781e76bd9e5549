//! Owns the search for the ONNX Runtime library: the very one that the Python wheel brings, so that both run the same build.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use crate::{Error, ErrorCode, Result};

/// Names another library.
pub const LIBRARY_VARIABLE: &str = "LLMZIP_ORT_LIB";

/// The library named by `LLMZIP_ORT_LIB`, or the Python environment's.
pub fn find(layout: &Layout) -> Result<PathBuf> {
    if let Some(path) = env::var_os(LIBRARY_VARIABLE).map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(Error::new(
                ErrorCode::Setup,
                format!("{LIBRARY_VARIABLE} names {}, which is no file", path.display()),
            )
            .with_hint("name the shared library of ONNX Runtime, or name none: `cargo run -- setup` installs one"))
        };
    }
    let environment = layout.virtual_env();
    // `lib/python3.11/site-packages` on Unix, `Lib/site-packages` on Windows.
    let unix = children(&environment.join("lib"))
        .into_iter()
        .map(|python| python.join("site-packages"));
    let candidates = unix.chain([environment.join("Lib").join("site-packages")]);
    candidates
        .map(|packages| packages.join("onnxruntime").join("capi"))
        .flat_map(|folder| children(&folder))
        .find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_library))
        .ok_or_else(|| {
            Error::new(
                ErrorCode::Setup,
                format!("no ONNX Runtime library in {}", environment.display()),
            )
            .with_hint("`cargo run -- setup` installs it with the Python packages")
        })
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .collect()
        })
        .unwrap_or_default();
    paths.sort();
    paths
}

/// The core library of each system, not the provider libraries beside it.
fn is_library(name: &str) -> bool {
    name == "onnxruntime.dll"
        || name == "libonnxruntime.so"
        || name.starts_with("libonnxruntime.so.")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_library_is_told_from_its_neighbours() {
        for name in [
            "libonnxruntime.so.1.30.0",
            "libonnxruntime.1.30.0.dylib",
            "onnxruntime.dll",
            "libonnxruntime.so",
        ] {
            assert!(is_library(name), "{name}");
        }
        for name in [
            "libonnxruntime_providers_shared.so",
            "onnxruntime_pybind11_state.so",
            "onnxruntime.lib",
        ] {
            assert!(!is_library(name), "{name}");
        }
    }
}
