//! Owns products of uint8 by uint8. rten makes the right side int8, and its kernel for processors without VNNI adds two products in 16
//! bits, with saturation: 2 * 255 * 128 is too much, 2 * 128 * 128 on the negative side just fits. So the left side is cut into what is
//! at most 127 and the rest, at most 128, and the two products are added as int32.

use super::{Names, cast, node};
use crate::model::graph::declarations::{INT32, UINT8};
use crate::model::graph::wire::{bytes, integer};
use crate::model::witness::types::Node;

/// The largest left side with which two products fit 16 bits, whatever the right side is.
const LARGEST: u64 = 127;

/// The nodes that take the place of a `MatMulInteger` whose right side is uint8; an exact graph has uint8 on the left of all of them.
pub(super) fn lower(product: &Node<'_>, names: &Names<'_>) -> Vec<Vec<u8>> {
    let input = |index: usize| product.inputs.get(index).copied().unwrap_or_default();
    let [left, right, left_zero, right_zero] = [0, 1, 2, 3].map(input);
    let [largest, wide, wide_low, wide_high, low, high, low_product, high_product] = [
        "largest",
        "int32",
        "int32:low",
        "int32:high",
        "low",
        "high",
        "low:product",
        "high:product",
    ]
    .map(|what| names.new_name(what));
    vec![
        node("Constant", &[], &largest, &[int32_scalar(LARGEST)]),
        cast(left, &wide, INT32),
        node("Min", &[&wide, &largest], &wide_low, &[]),
        node("Sub", &[&wide, &wide_low], &wide_high, &[]),
        cast(&wide_low, &low, UINT8),
        cast(&wide_high, &high, UINT8),
        // The left zero point is taken off once.
        node("MatMulInteger", &[&low, right, "", right_zero], &low_product, &[]),
        node(
            "MatMulInteger",
            &[&high, right, left_zero, right_zero],
            &high_product,
            &[],
        ),
        node("Add", &[&low_product, &high_product], names.output, &[]),
    ]
}

/// The attribute `value` of a `Constant` that is one int32.
fn int32_scalar(value: u64) -> Vec<u8> {
    // A `TensorProto` without dimensions: its element type and int32_data. The attribute's type TENSOR is number 4.
    let tensor = [integer(2, INT32), integer(5, value)].concat();
    [bytes(1, b"value"), bytes(5, &tensor), integer(20, 4)].concat()
}
