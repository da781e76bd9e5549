//! Owns the rewriting of a file for rten, whose `Concat` takes float32 and int32 only. A `Concat` of 8-bit integers, as caches of exact
//! graphs have it, becomes one of int32 between casts: each of them is an int32, so no value changes. It works on the bytes of the file
//! and copies all else as it is.

use std::collections::HashSet;

use super::types::{Node, Types};
use crate::Result;
use crate::model::graph::declarations::{ElementCode, INT8, INT32, UINT8};
use crate::model::graph::wire::{Fields, Value, bytes, integer, put_bytes};

/// The bytes of the file without a `Concat` of 8-bit integers.
///
/// # Errors
/// `model` when the bytes are no ONNX model, or a node comes before what it takes.
pub(super) fn lower_concats(model: &[u8]) -> Result<Vec<u8>> {
    let mut lowered = Vec::with_capacity(model.len());
    for field in Fields::new(model).whole() {
        match field? {
            (7, Value::Bytes(graph), _) => put_bytes(&mut lowered, 7, &lower_graph(graph)?),
            (_, _, whole) => lowered.extend_from_slice(whole),
        }
    }
    Ok(lowered)
}

fn lower_graph(graph: &[u8]) -> Result<Vec<u8>> {
    let taken = value_names(graph)?;
    let mut types = Types::of_ends(graph)?;
    let mut lowered = Vec::with_capacity(graph.len());
    for field in Fields::new(graph).whole() {
        let (number, value, whole) = field?;
        if let (1, Value::Bytes(bytes)) = (number, value) {
            let node = Node::parse(bytes)?;
            types.add(&node)?;
            let element = node.outputs.first().and_then(|output| types.of(output));
            if let ("Concat", Some(element @ (INT8 | UINT8))) = (node.op, element) {
                for node in lower_concat(bytes, &node, element, &taken)? {
                    put_bytes(&mut lowered, 1, &node);
                }
                continue;
            }
        }
        lowered.extend_from_slice(whole);
    }
    Ok(lowered)
}

/// The names of all values that nodes give; those of inputs and initializers are no node's output, but may be its input.
fn value_names(graph: &[u8]) -> Result<HashSet<&str>> {
    let mut names = HashSet::new();
    for field in Fields::new(graph) {
        if let (1, Value::Bytes(bytes)) = field? {
            let node = Node::parse(bytes)?;
            names.extend(node.inputs);
            names.extend(node.outputs);
        }
    }
    Ok(names)
}

/// The nodes that take the place of a `Concat` of such elements.
fn lower_concat(concat: &[u8], node: &Node<'_>, element: ElementCode, taken: &HashSet<&str>) -> Result<Vec<Vec<u8>>> {
    let output = node.outputs.first().copied().unwrap_or_default();
    let name = |what: &str| {
        let mut name = format!("{output}:{what}");
        while taken.contains(name.as_str()) {
            name.push('\'');
        }
        name
    };
    let wide_output = name("int32");
    let wide_inputs: Vec<String> = (0..node.inputs.len()).map(|i| name(&format!("int32:{i}"))).collect();
    let mut nodes: Vec<Vec<u8>> = node
        .inputs
        .iter()
        .zip(&wide_inputs)
        .map(|(input, wide)| cast(input, wide, INT32))
        .collect();
    let mut wide: Vec<u8> = wide_inputs
        .iter()
        .flat_map(|input| bytes(1, input.as_bytes()))
        .collect();
    put_bytes(&mut wide, 2, wide_output.as_bytes());
    for field in Fields::new(concat).whole() {
        let (number, _, whole) = field?;
        if number > 2 {
            wide.extend_from_slice(whole);
        }
    }
    nodes.push(wide);
    nodes.push(cast(&wide_output, output, element));
    Ok(nodes)
}

fn cast(input: &str, output: &str, element: ElementCode) -> Vec<u8> {
    // An attribute of the type INT, which is number 2.
    let to = [bytes(1, b"to"), integer(3, element), integer(20, 2)].concat();
    [
        bytes(1, input.as_bytes()),
        bytes(2, output.as_bytes()),
        bytes(4, b"Cast"),
        bytes(5, &to),
    ]
    .concat()
}

#[cfg(test)]
mod tests;
