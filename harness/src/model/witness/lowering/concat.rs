//! Owns `Concat`s of 8-bit integers, as the caches of exact graphs have them: rten's takes float32 and int32 only. Each becomes one of
//! int32 between casts; all 8-bit integers are int32s, so no value changes.

use super::{Names, cast};
use crate::Result;
use crate::model::graph::declarations::{ElementCode, INT32};
use crate::model::graph::wire::{Fields, bytes, put_bytes};
use crate::model::witness::types::Node;

/// The nodes that take the place of the `Concat` that is `whole`, of this type.
pub(super) fn lower(whole: &[u8], node: &Node<'_>, element: ElementCode, names: &Names<'_>) -> Result<Vec<Vec<u8>>> {
    let wide_output = names.new_name("int32");
    let wide_inputs: Vec<String> = (0..node.inputs.len())
        .map(|i| names.new_name(&format!("int32:{i}")))
        .collect();
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
    for field in Fields::new(whole).whole() {
        let (number, _, whole) = field?;
        if number > 2 {
            wide.extend_from_slice(whole);
        }
    }
    nodes.push(wide);
    nodes.push(cast(&wide_output, names.output, element));
    Ok(nodes)
}
