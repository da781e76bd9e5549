//! Owns the reading of a graph's inputs and outputs from the file itself: rten says less of them than the file does.

use crate::model::graph::wire::{Fields, Value};
use crate::model::graph::{Dimension, TensorInfo};
use crate::{Error, ErrorCode, Result};

/// The inputs and the outputs of the graph of an ONNX file, in its order; constants are no inputs.
///
/// # Errors
/// `model` when the file is damaged or one of them is no tensor of a known type.
pub fn ends(model: &[u8]) -> Result<(Vec<TensorInfo>, Vec<TensorInfo>)> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for field in Fields::new(model) {
        let (7, Value::Bytes(graph)) = field? else { continue };
        for field in Fields::new(graph) {
            match field? {
                (11, Value::Bytes(info)) => inputs.push(tensor(info)?),
                (12, Value::Bytes(info)) => outputs.push(tensor(info)?),
                _ => {}
            }
        }
    }
    Ok((inputs, outputs))
}

fn tensor(info: &[u8]) -> Result<TensorInfo> {
    let (mut name, mut element, mut shape) = (String::new(), None, Vec::new());
    for field in Fields::new(info) {
        match field? {
            (1, Value::Bytes(bytes)) => name = text(bytes)?,
            (2, Value::Bytes(kind)) => {
                for field in Fields::new(kind) {
                    let (1, Value::Bytes(tensor)) = field? else { continue };
                    for field in Fields::new(tensor) {
                        match field? {
                            (1, Value::Varint(code)) => element = element_name(code),
                            (2, Value::Bytes(dimensions)) => shape = self::shape(dimensions)?,
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let element = element.ok_or_else(|| strange(&name))?.to_owned();
    Ok(TensorInfo { name, element, shape })
}

fn shape(dimensions: &[u8]) -> Result<Vec<Dimension>> {
    let mut shape = Vec::new();
    for field in Fields::new(dimensions) {
        let (1, Value::Bytes(dimension)) = field? else { continue };
        let mut size = Dimension::Symbolic(String::new());
        for field in Fields::new(dimension) {
            match field? {
                (1, Value::Varint(fixed)) => size = Dimension::Fixed(fixed),
                (2, Value::Bytes(symbol)) => size = Dimension::Symbolic(text(symbol)?),
                _ => {}
            }
        }
        shape.push(size);
    }
    Ok(shape)
}

/// The types that an exact graph's inputs and outputs may have.
fn element_name(code: u64) -> Option<&'static str> {
    match code {
        1 => Some("float32"),
        2 => Some("uint8"),
        6 => Some("int32"),
        7 => Some("int64"),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Result<String> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| strange("an input or output"))
}

fn strange(what: &str) -> Error {
    Error::new(
        ErrorCode::Model,
        format!("the graph cannot be driven: {what} is no tensor of float32, uint8, int32 or int64"),
    )
    .with_hint("use a graph that passes `llmzip exact check`")
}
