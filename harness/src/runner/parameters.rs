//! Owns the parameters of a request: hostile JSON to typed values that the protocol allows. What a value means is the operation's.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::protocol::{PROTOCOL_VERSION, from_object};
use crate::model::provenance::manifest::is_inside;
use crate::{Error, ErrorCode, Result};

/// The parameters of `op` as their type.
///
/// # Errors
/// `usage`.
pub(super) fn read<T: DeserializeOwned>(op: &str, params: Value) -> Result<T> {
    from_object(params).map_err(|reason| {
        Error::new(
            ErrorCode::Usage,
            format!("the parameters of `{op}` are wrong: {reason}"),
        )
        .with_hint("harness/schemas/protocol.json says what they look like")
    })
}

/// Holds a request to the version that is spoken here.
///
/// # Errors
/// `usage`.
pub(super) fn check_version(protocol: u32) -> Result<()> {
    if protocol == PROTOCOL_VERSION {
        return Ok(());
    }
    let message = format!("the protocol {protocol} is not spoken here, but {PROTOCOL_VERSION}");
    Err(Error::new(ErrorCode::Usage, message).with_hint("use an orchestrator and a runner of the same version"))
}

/// The most runs of one `bench`.
const MAX_RUNS: u32 = 1000;

/// Holds the runs of a `bench` to their limits.
///
/// # Errors
/// `usage`.
pub(super) fn check_runs(runs: u32) -> Result<()> {
    if (1..=MAX_RUNS).contains(&runs) {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Usage,
        format!("{runs} runs are not 1 to {MAX_RUNS}"),
    ))
}

/// Refuses relative paths: what one means depends on where the runner was started.
///
/// # Errors
/// `usage`.
pub(super) fn check_absolute<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
    match paths.into_iter().find(|path| !path.is_absolute()) {
        None => Ok(()),
        Some(path) => Err(
            Error::new(ErrorCode::Usage, format!("the path {} is not absolute", path.display()))
                .with_hint("name files and folders from the root on"),
        ),
    }
}

/// The path of a graph, which lies in its model's folder.
///
/// # Errors
/// `usage`.
pub(super) fn check_model_file(path: &Path) -> Result<String> {
    let inside = path.to_str().filter(|text| is_inside(text) && text.ends_with(".onnx"));
    inside.map(str::to_owned).ok_or_else(|| {
        let message = format!(
            "{} is not the path of an .onnx file inside the model's folder",
            path.display()
        );
        Error::new(ErrorCode::Usage, message).with_hint("name it as the manifest does, such as onnx/model_q4f16.onnx")
    })
}
