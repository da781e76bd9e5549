"""What is known of a tensor: element type, shape, interval, unit. Owns that description and how it is read off a constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from .ranges import FLOAT_MAX, Number, Range
from .shapes import Dim, Shape, number

Array = npt.NDArray[Any]
UNDEFINED, FLOAT, BOOL = TensorProto.UNDEFINED, TensorProto.FLOAT, TensorProto.BOOL
UINT8, INT8, INT32, INT64 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64
INTEGERS = (UINT8, INT8, INT32, INT64)
KINDS = (FLOAT, BOOL, *INTEGERS)
"""The element types of exact graphs."""
KIND_NAMES = {value: name.lower() for name, value in TensorProto.DataType.items()} | {FLOAT: "float32"}
ZERO_UNIT = 128
"""The unit of a tensor of zeros: 0 is a multiple of everything, and no float32 is as large."""
LEAST_UNIT = -149
"""The unit of the smallest float32: a smaller one cannot be kept."""
_MANTISSA_BITS = 24
_MANY = 1 << 16
"""Constants with more elements than this have their unit looked for only where it costs nothing."""
_FEW = 64
"""Integers of up to so many elements may be shapes."""


@dataclass(frozen=True)
class Value:
    """What holds for every run that the contract of the inputs allows.

    All elements are in `range` and multiples of 2^`unit` (None: nothing known). Each row along the last axis has at least one element in
    `attains`. `contents` are the elements of a short integer tensor where they are lengths. `tainted` marks what comes out of a
    node that breaks a rule, `absent` the cache before the first run, `fixed` what no input has a part in.
    """

    kind: int
    shape: Shape | None
    range: Range
    unit: int | None = None
    attains: Range | None = None
    constant: Array | None = None
    contents: tuple[Dim, ...] | None = None
    tainted: bool = False
    absent: bool = False
    fixed: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether the elements are of an integer type."""
        return self.kind in INTEGERS

    @property
    def may_have_empty_rows(self) -> bool:
        """Whether a row along the last axis may be without elements."""
        return not self.shape or self.shape[-1].may_be_empty

    @property
    def scalar(self) -> Number | None:
        """The number of a constant with one element."""
        if self.constant is None or self.constant.size != 1:
            return None
        item: Number = self.constant.reshape(()).item()
        return item

    @property
    def power_of_two(self) -> float | None:
        """The same, where it is a float and plus or minus a power of two whose reciprocal is as exact."""
        value = self.scalar
        if self.kind != FLOAT or value is None or not np.isfinite(value):
            return None
        mantissa, exponent = np.frexp(abs(value))
        return float(value) if mantissa == 0.5 and abs(int(exponent) - 1) <= 64 else None


def full_range(kind: int, *, loose: bool = False) -> Range:
    """Every number of an element type; every finite one of float32."""
    if kind == BOOL:
        return Range(0, 1)
    if kind in INTEGERS:
        info = np.iinfo(KIND_NAMES[kind])
        return Range(int(info.min), int(info.max), loose)
    return Range(-FLOAT_MAX, FLOAT_MAX, loose=True)


def of_constant(kind: int, array: Array) -> Value:
    """A constant of one of `KINDS`; infinite bounds if it is not finite."""
    shape = tuple(map(number, array.shape))
    if array.size == 0:
        return Value(kind, shape, Range(0, 0), constant=array, contents=() if array.ndim == 1 else None, fixed=True)
    lo, hi = array.min().item(), array.max().item()
    if kind == FLOAT and not (np.isfinite(lo) and np.isfinite(hi)):
        lo, hi = -np.inf, np.inf
    contents = None
    if kind in (INT32, INT64) and array.ndim <= 1 and array.size <= _FEW:
        contents = tuple(number(int(each)) for each in array.reshape(-1))
    bounds = Range(float(lo), float(hi)) if kind == FLOAT else Range(int(lo), int(hi))
    return Value(kind, shape, bounds, _unit(kind, array), constant=array, contents=contents, fixed=True)


def _unit(kind: int, array: Array) -> int | None:
    """The exponent of the largest power of two that divides all elements."""
    if kind != FLOAT:
        if array.size > _MANY:
            return 0
        bits = int(np.bitwise_or.reduce(array.reshape(-1).astype(np.int64)))
        return (bits & -bits).bit_length() - 1 if bits else ZERO_UNIT
    if array.size > _MANY or not np.isfinite(array).all():
        return None
    mantissas, exponents = np.frexp(array[array != 0].astype(np.float64))
    if mantissas.size == 0:
        return ZERO_UNIT
    whole = np.abs(mantissas * 2.0**_MANTISSA_BITS).astype(np.int64)
    trailing = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return int((exponents - _MANTISSA_BITS + trailing).min())


def common_unit(*units: int | None) -> int | None:
    """The unit of tensors together, and of their sums."""
    known = [unit for unit in units if unit is not None]
    return min(known) if len(known) == len(units) else None


def product_unit(a: int | None, b: int | None) -> int | None:
    """The unit of products."""
    if a is None or b is None or a + b < LEAST_UNIT:
        return None
    return min(a + b, ZERO_UNIT)
