"""MatMulInteger. Owns the proof that no integer product saturates or overflows, from the weights themselves.

The kernels that it has to hold for: processors before VNNI multiply uint8 by int8 and add two products in 16 bits, with
saturation; VNNI kernels add raw products to 32 bits, some with saturation, and take zero points off apart. So sums must fit with
and without zero points, in any order. Which two products are added first is an engine's choice of packing (neighbours, in ONNX
Runtime): any two weights of a column must be safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ranges import Number, Range, arithmetic
from .report import Rule
from .shapes import Dim, Shape
from .step import Step, Transfer
from .values import INT8, INT32, KIND_NAMES, UINT8, Array, Value, full_range, product_unit

_INT16_MAX = 32767
_UINT8_MAX = 255
_MIDDLE = 128


@dataclass(frozen=True)
class Columns:
    """What matters of a constant matrix [.., in, out]: the largest sums by column, of weights less their zero point.

    `pair` is the largest sum of two magnitudes of a column, before the zero point is taken off.
    """

    positive: Array
    negative: Array
    raw: int
    pair: int


def read_columns(weights: Array, zero: int) -> Columns:
    """Look through a matrix, of int8 or uint8."""
    sums = weights.sum(axis=-2, dtype=np.int64) - zero * weights.shape[-2]
    over = np.maximum(weights, weights.dtype.type(zero)).sum(axis=-2, dtype=np.int64) - zero * weights.shape[-2]
    magnitudes = np.abs(weights, dtype=np.int16)
    raw = int(magnitudes.sum(axis=-2, dtype=np.int64).max(initial=0))
    largest = int(magnitudes.max(initial=0))
    pair = 2 * largest
    if weights.shape[-2] == 1:
        pair = largest
    elif _UINT8_MAX * pair > _INT16_MAX:
        two = np.partition(magnitudes, weights.shape[-2] - 2, axis=-2)[..., -2:, :]
        pair = int(two.sum(axis=-2).max(initial=0))
    return Columns(over.reshape(-1), (sums - over).reshape(-1), raw, pair)


def _matmul_integer(step: Step) -> Sequence[Value]:
    a, b = step.required(0), step.required(1)
    shape, length = _shapes(step, a, b)
    zeros = _zero_points(step)
    if zeros is None or not _operands_are_safe(step, a, b, *zeros):
        return [step.result(INT32, shape, full_range(INT32))]
    left, right = zeros
    if b.constant is not None and b.constant.ndim >= 2:
        key = (step.node.inputs[1], right)
        if key not in step.cache:
            step.cache[key] = read_columns(b.constant, right)
        columns: Columns = step.cache[key]
        if b.kind == INT8 and _UINT8_MAX * columns.pair > _INT16_MAX:
            step.violate(
                Rule.SATURATING_PRODUCT,
                f"two weights of a column come to {columns.pair}: 255 times that exceeds the 16 bits in which pairs are added before VNNI",
            )
        bounds = _constant_bounds(a.range, left, columns)
        raw: Number = columns.raw * (max(abs(a.range.lo), abs(a.range.hi)) + abs(left))
    else:
        limit = length.limit if length is not None else None
        if limit is None:
            step.unproved(
                Rule.INTEGER_OVERFLOW, "the length of the rows has no bound: give the largest context as positions"
            )
            return [step.result(INT32, shape, full_range(INT32))]
        one = arithmetic("Mul", _less(a.range, left), _less(b.range, right), integer=True)
        bounds = Range(min(limit * one.lo, 0), max(limit * one.hi, 0))
        raw = limit * a.range.magnitude * b.range.magnitude
    unit = product_unit(0 if left else a.unit, 0 if right else b.unit)
    if not bounds.within(full_range(INT32)) or raw > full_range(INT32).hi:
        step.unproved(
            Rule.INTEGER_OVERFLOW,
            f"sums from {bounds.lo} to {bounds.hi}, and up to {raw} before zero points are taken off, do not fit int32",
        )
        bounds = full_range(INT32)
    return [step.result(INT32, shape, bounds, unit)]


def _less(a: Range, zero: int) -> Range:
    return Range(a.lo - zero, a.hi - zero)


def _constant_bounds(a: Range, zero: int, columns: Columns) -> Range:
    lo, hi = int(a.lo) - zero, int(a.hi) - zero
    most = columns.positive * hi + columns.negative * lo
    least = columns.positive * lo + columns.negative * hi
    # Sums of a part of the products, which any order may come by, lie between these as well.
    return Range(min(int(least.min(initial=0)), 0), max(int(most.max(initial=0)), 0))


def _zero_points(step: Step) -> tuple[int, int] | None:
    found = []
    for side, index in (("left", 2), ("right", 3)):
        value = step.input(index)
        point = 0 if value is None else value.scalar
        if point is None:
            step.violate(Rule.UNSAFE_PRODUCT, f"the zero point of the {side} side is not one constant")
            return None
        found.append(int(point))
    return found[0], found[1]


def _operands_are_safe(step: Step, a: Value, b: Value, left: int, right: int) -> bool:
    if a.kind != UINT8:
        step.unproved(
            Rule.UNSAFE_PRODUCT,
            f"the left side is {KIND_NAMES.get(a.kind, a.kind)}: only uint8 takes the same way in all kernels",
        )
        return False
    if b.kind == INT8 and b.constant is not None:
        if right:
            step.violate(Rule.UNSAFE_PRODUCT, f"weights of int8 have the zero point {right}, not 0")
        return not right
    if b.kind != UINT8:
        what = "a right side that is not constant" if b.kind == INT8 else "the right side"
        step.unproved(Rule.UNSAFE_PRODUCT, f"{what} is {KIND_NAMES.get(b.kind, b.kind)}: it must be uint8 around 128")
        return False
    if right != _MIDDLE or left not in (0, _MIDDLE):
        step.violate(
            Rule.UNSAFE_PRODUCT,
            f"zero points are {left} and {right}: uint8 by uint8 must be around 128, and the left side around 128 or 0",
        )
        return False
    return True


def _shapes(step: Step, a: Value, b: Value) -> tuple[Shape | None, Dim | None]:
    """The product's shape and the length of its sums."""
    if a.shape is None or b.shape is None or len(a.shape) < 2 or len(b.shape) < 2:
        length = b.shape[-2] if b.shape is not None and len(b.shape) >= 2 else None
        return None, length
    batch = step.lengths.broadcast([a.shape[:-2], b.shape[:-2]])
    known = [dim for dim in (a.shape[-1], b.shape[-2]) if dim.limit is not None]
    length = min(known, key=lambda dim: dim.limit or 0) if known else a.shape[-1]
    return (None if batch is None else (*batch, a.shape[-2], b.shape[-1])), length


PRODUCTS: dict[str, Transfer] = {"MatMulInteger": _matmul_integer}
