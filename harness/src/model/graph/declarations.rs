//! Owns what a file's bytes declare of the graph's inputs and outputs, in the terms of `inspect`. A runtime that keeps ONNX's own
//! types says the same of itself; this is for one that does not.

use std::collections::BTreeSet;

use super::wire::{Fields, Value};
use super::{Dimension, TensorInfo, not_onnx};
use crate::Result;

/// The inputs and outputs of a graph, each in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declarations {
    /// The inputs, without those that initializers give.
    pub inputs: Vec<TensorInfo>,
    /// The outputs.
    pub outputs: Vec<TensorInfo>,
}

impl Declarations {
    /// Reads the bytes of an ONNX file.
    ///
    /// # Errors
    /// `model` when they are none, or a name in them is no text.
    pub fn of_model(model: &[u8]) -> Result<Self> {
        for field in Fields::new(model) {
            if let (7, Value::Bytes(graph)) = field? {
                return Self::of_graph(graph);
            }
        }
        Err(not_onnx("it has no graph"))
    }

    fn of_graph(graph: &[u8]) -> Result<Self> {
        let mut given = BTreeSet::new();
        let mut declarations = Self::default();
        for field in Fields::new(graph) {
            match field? {
                (5, Value::Bytes(initializer)) => {
                    given.insert(text_at(initializer, 8)?);
                }
                (11, Value::Bytes(info)) => declarations.inputs.push(tensor(info)?),
                (12, Value::Bytes(info)) => declarations.outputs.push(tensor(info)?),
                _ => {}
            }
        }
        // Files of old versions list initializers among the inputs.
        declarations.inputs.retain(|input| !given.contains(input.name.as_str()));
        Ok(declarations)
    }
}

/// The number of an element type in `TensorProto.DataType`.
pub type ElementCode = u64;

/// 32-bit floats.
pub const FLOAT32: ElementCode = 1;
/// Bytes without a sign.
pub const UINT8: ElementCode = 2;
/// Bytes with a sign.
pub const INT8: ElementCode = 3;
/// 32-bit integers.
pub const INT32: ElementCode = 6;
/// 64-bit integers.
pub const INT64: ElementCode = 7;
/// Truth values.
pub const BOOL: ElementCode = 9;

/// The names that NumPy gives the element types.
const fn element_name(code: ElementCode) -> &'static str {
    match code {
        FLOAT32 => "float32",
        UINT8 => "uint8",
        INT8 => "int8",
        4 => "uint16",
        5 => "int16",
        INT32 => "int32",
        INT64 => "int64",
        8 => "string",
        BOOL => "bool",
        10 => "float16",
        11 => "float64",
        12 => "uint32",
        13 => "uint64",
        16 => "bfloat16",
        _ => "other",
    }
}

/// The name of a `ValueInfoProto` and its element type, 0 where it says none.
///
/// # Errors
/// `model` when the bytes are none.
pub fn element_of(info: &[u8]) -> Result<(&str, ElementCode)> {
    let (name, element, _) = read(info)?;
    Ok((name, element))
}

fn tensor(info: &[u8]) -> Result<TensorInfo> {
    let (name, element, shape) = read(info)?;
    Ok(TensorInfo {
        name: name.to_owned(),
        element: element_name(element).to_owned(),
        shape,
    })
}

/// `ValueInfoProto { name = 1, type = 2: TypeProto { tensor_type = 1: Tensor { elem_type = 1, shape = 2 } } }`
fn read(info: &[u8]) -> Result<(&str, ElementCode, Vec<Dimension>)> {
    let (mut name, mut element, mut shape) = ("", 0, Vec::new());
    for field in Fields::new(info) {
        match field? {
            (1, Value::Bytes(bytes)) => name = text(bytes)?,
            (2, Value::Bytes(kind)) => {
                for field in Fields::new(kind) {
                    let (1, Value::Bytes(tensor)) = field? else { continue };
                    for field in Fields::new(tensor) {
                        match field? {
                            (1, Value::Varint(code)) => element = code,
                            (2, Value::Bytes(dimensions)) => shape = dimensions_of(dimensions)?,
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    Ok((name, element, shape))
}

fn dimensions_of(shape: &[u8]) -> Result<Vec<Dimension>> {
    let mut dimensions = Vec::new();
    for field in Fields::new(shape) {
        let (1, Value::Bytes(dimension)) = field? else {
            continue;
        };
        let mut found = Dimension::Symbolic(String::new());
        for field in Fields::new(dimension) {
            match field? {
                (1, Value::Varint(size)) => found = Dimension::Fixed(size),
                (2, Value::Bytes(name)) => found = Dimension::Symbolic(text(name)?.to_owned()),
                _ => {}
            }
        }
        dimensions.push(found);
    }
    Ok(dimensions)
}

/// The text of field `number`; empty where there is none.
///
/// # Errors
/// `model` when the bytes are no message, or the field is no text.
pub fn text_at(message: &[u8], number: u64) -> Result<&str> {
    let mut found = "";
    for field in Fields::new(message) {
        if let (at, Value::Bytes(bytes)) = field?
            && at == number
        {
            found = text(bytes)?;
        }
    }
    Ok(found)
}

/// The text of a field's bytes.
///
/// # Errors
/// `model` when they are none.
pub fn text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| not_onnx("a name in it is no text"))
}
