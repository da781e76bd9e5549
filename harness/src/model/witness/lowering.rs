//! Owns the rewriting of a file for rten where it is not up to an exact graph: each such node becomes several that give the same
//! values. It works on the bytes of the file and copies all else as it is.

mod concat;
mod product;

use std::collections::HashSet;

use super::types::{Node, Types};
use crate::Result;
use crate::model::graph::declarations::{ElementCode, INT8, UINT8};
use crate::model::graph::wire::{Fields, Value, bytes, integer, put_bytes};

/// The bytes of the file without the nodes that rten is not up to.
///
/// # Errors
/// `model` when the bytes are no ONNX model, or a node comes before what it takes.
pub(super) fn lower(model: &[u8]) -> Result<Vec<u8>> {
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
            if let Some(nodes) = lower_node(bytes, &node, &types, &taken)? {
                for node in nodes {
                    put_bytes(&mut lowered, 1, &node);
                }
                continue;
            }
        }
        lowered.extend_from_slice(whole);
    }
    Ok(lowered)
}

/// The nodes that take the place of one; none where it stays.
fn lower_node(bytes: &[u8], node: &Node<'_>, types: &Types<'_>, taken: &HashSet<&str>) -> Result<Option<Vec<Vec<u8>>>> {
    let names = Names {
        output: node.outputs.first().copied().unwrap_or_default(),
        taken,
    };
    let type_of = |name: Option<&&str>| name.and_then(|name| types.of(name));
    match (node.op, type_of(node.outputs.first()), type_of(node.inputs.get(1))) {
        ("Concat", Some(element @ (INT8 | UINT8)), _) => concat::lower(bytes, node, element, &names).map(Some),
        ("MatMulInteger", _, Some(UINT8)) => Ok(Some(product::lower(node, &names))),
        _ => Ok(None),
    }
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

/// Gives values between new nodes names that nothing else has.
struct Names<'g> {
    output: &'g str,
    taken: &'g HashSet<&'g str>,
}

impl Names<'_> {
    /// A name that follows from the output of the node that is lowered.
    fn new_name(&self, what: &str) -> String {
        let mut name = format!("{}:{what}", self.output);
        while self.taken.contains(name.as_str()) {
            name.push('\'');
        }
        name
    }
}

/// The bytes of a `NodeProto`.
fn node(op: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
    put_bytes(&mut node, 2, output.as_bytes());
    put_bytes(&mut node, 4, op.as_bytes());
    for attribute in attributes {
        put_bytes(&mut node, 5, attribute);
    }
    node
}

fn cast(input: &str, output: &str, element: ElementCode) -> Vec<u8> {
    // An attribute of the type INT, which is number 2.
    let to = [bytes(1, b"to"), integer(3, element), integer(20, 2)].concat();
    node("Cast", &[input], output, &[to])
}

#[cfg(test)]
mod tests;
