//! Owns the one thing that rten lacks and exact graphs need: Concat of uint8. Each becomes a Concat of int32 between casts, which
//! changes no value. It rewrites the file's bytes and touches nothing else of them.

use std::collections::BTreeMap;

use crate::model::graph::wire::{Fields, Value};
use crate::{Error, ErrorCode, Result};

const UINT8: u64 = 2;
const INT32: u64 = 6;
/// Ops whose first output has the type of their first input.
const KEEP_TYPE: [&str; 11] = [
    "Concat",
    "Expand",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// The bytes of a model that computes the same, without a Concat of uint8.
///
/// # Errors
/// `model` when the bytes are no ONNX model.
pub fn lower(model: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(model.len() + model.len() / 8);
    for field in Fields::new(model) {
        match field? {
            (7, Value::Bytes(graph)) => put_bytes(&mut out, 7, &lower_graph(graph)?),
            (number, value) => put(&mut out, number, value)?,
        }
    }
    Ok(out)
}

/// A node as far as it matters here.
#[derive(Default)]
struct Node<'a> {
    op: &'a [u8],
    inputs: Vec<&'a [u8]>,
    outputs: Vec<&'a [u8]>,
    rest: Vec<(u64, Value<'a>)>,
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut node = Self::default();
        for field in Fields::new(bytes) {
            match field? {
                (1, Value::Bytes(name)) => node.inputs.push(name),
                (2, Value::Bytes(name)) => node.outputs.push(name),
                (4, Value::Bytes(op)) => node.op = op,
                (number, value) => node.rest.push((number, value)),
            }
        }
        Ok(node)
    }
}

fn lower_graph(graph: &[u8]) -> Result<Vec<u8>> {
    let mut types = declared_types(graph)?;
    let mut out = Vec::with_capacity(graph.len() + graph.len() / 8);
    for field in Fields::new(graph) {
        match field? {
            (1, Value::Bytes(bytes)) => {
                let node = Node::read(bytes)?;
                note_types(&node, &mut types);
                let is_bytes = node.inputs.first().and_then(|name| types.get(*name)) == Some(&UINT8);
                if node.op == b"Concat" && is_bytes {
                    put_concat(&mut out, &node)?;
                } else {
                    put_bytes(&mut out, 1, bytes);
                }
            }
            (number, value) => put(&mut out, number, value)?,
        }
    }
    Ok(out)
}

/// Element types of the graph's inputs and constants, by name.
fn declared_types(graph: &[u8]) -> Result<BTreeMap<Vec<u8>, u64>> {
    let mut types = BTreeMap::new();
    for field in Fields::new(graph) {
        let (name, code) = match field? {
            (5, Value::Bytes(tensor)) => (find_bytes(tensor, 8)?, find_varint(tensor, 2)?),
            (11, Value::Bytes(info)) => {
                let kind = find_bytes(info, 2)?.unwrap_or_default();
                let tensor = find_bytes(kind, 1)?.unwrap_or_default();
                (find_bytes(info, 1)?, find_varint(tensor, 1)?)
            }
            _ => continue,
        };
        if let (Some(name), Some(code)) = (name, code) {
            types.insert(name.to_vec(), code);
        }
    }
    Ok(types)
}

/// Nodes stand in the order in which they run, so that the types of a node's inputs are known before it.
fn note_types(node: &Node<'_>, types: &mut BTreeMap<Vec<u8>, u64>) {
    let of = |index: usize, types: &BTreeMap<Vec<u8>, u64>| {
        node.inputs.get(index).and_then(|name| types.get(*name).copied())
    };
    let code = if node.op == b"QuantizeLinear" {
        // The type is the zero point's; without one it is uint8.
        Some(of(2, types).unwrap_or(UINT8))
    } else if KEEP_TYPE.iter().any(|op| op.as_bytes() == node.op) {
        of(0, types)
    } else if node.op == b"Cast" {
        node.rest.iter().find_map(|(number, value)| match (number, value) {
            (5, Value::Bytes(attribute)) => find_varint(attribute, 3).ok().flatten(),
            _ => None,
        })
    } else {
        None
    };
    if let Some(code) = code {
        for name in &node.outputs {
            types.insert(name.to_vec(), code);
        }
    }
}

fn put_concat(out: &mut Vec<u8>, node: &Node<'_>) -> Result<()> {
    let Some(&result) = node.outputs.first() else {
        return Err(Error::new(ErrorCode::Model, "a Concat of the graph has no output"));
    };
    let name = |suffix: String| [result, suffix.as_bytes()].concat();
    let wide = name("/int32".to_owned());
    let mut inputs = Vec::new();
    for (index, input) in node.inputs.iter().enumerate() {
        let cast = name(format!("/int32_{index}"));
        put_bytes(out, 1, &cast_node(input, &cast, INT32));
        inputs.push(cast);
    }
    let mut concat = Vec::new();
    for input in &inputs {
        put_bytes(&mut concat, 1, input);
    }
    put_bytes(&mut concat, 2, &wide);
    put_bytes(&mut concat, 4, node.op);
    for &(number, value) in &node.rest {
        put(&mut concat, number, value)?;
    }
    put_bytes(out, 1, &concat);
    put_bytes(out, 1, &cast_node(&wide, result, UINT8));
    Ok(())
}

fn cast_node(input: &[u8], output: &[u8], to: u64) -> Vec<u8> {
    const INT_ATTRIBUTE: u64 = 2;
    let mut attribute = Vec::new();
    put_bytes(&mut attribute, 1, b"to");
    put_varint(&mut attribute, 3, to);
    put_varint(&mut attribute, 20, INT_ATTRIBUTE);
    let mut node = Vec::new();
    put_bytes(&mut node, 1, input);
    put_bytes(&mut node, 2, output);
    // A name of its own: the name of what it makes.
    put_bytes(&mut node, 3, output);
    put_bytes(&mut node, 4, b"Cast");
    put_bytes(&mut node, 5, &attribute);
    node
}

fn find_bytes(message: &[u8], number: u64) -> Result<Option<&[u8]>> {
    for field in Fields::new(message) {
        match field? {
            (found, Value::Bytes(bytes)) if found == number => return Ok(Some(bytes)),
            _ => {}
        }
    }
    Ok(None)
}

fn find_varint(message: &[u8], number: u64) -> Result<Option<u64>> {
    for field in Fields::new(message) {
        match field? {
            (found, Value::Varint(value)) if found == number => return Ok(Some(value)),
            _ => {}
        }
    }
    Ok(None)
}

fn put(out: &mut Vec<u8>, number: u64, value: Value<'_>) -> Result<()> {
    match value {
        Value::Varint(value) => put_varint(out, number, value),
        Value::Bytes(bytes) => put_bytes(out, number, bytes),
        // Models, graphs and nodes have none of their own.
        Value::Fixed => {
            return Err(Error::new(
                ErrorCode::Model,
                "the model file has a field that ONNX does not have",
            ));
        }
    }
    Ok(())
}

fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    put_number(out, number << 3);
    put_number(out, value);
}

fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_number(out, number << 3 | 2);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
