"""Building blocks of exact graphs on a `GraphWriter`. Owns how numbers are represented; knows no model.

Every node that is written here is exact, or correctly rounded element by element, so that its result is the same bits
on every engine. EXACT.md has the rules and the reasons.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from llmzip.quantize.graph import GraphWriter

from .weights import Int8Columns

ZERO_POINT = 128
LOW_BITS = 7
"""A two-byte integer is `high * 2^LOW_BITS + low`, both bytes around `ZERO_POINT`."""
PEAK = 1 << 14
"""The largest magnitude of a two-byte integer."""
INT32_LIMIT = 2**31 - 1
FLOAT_INTEGERS = 1 << 24
"""float32 holds every integer up to this one."""
_SQUARE_UNIT = 1 << (2 * LOW_BITS)
TINY = 2.0**-40
"""What a divisor is raised to, so that a row of zeros divides by something."""


@dataclass(frozen=True)
class TwoBytes:
    """Rows of integers in [-PEAK, PEAK]: `high` and `low` uint8, `coarse` the high part as float.

    `peak` is the largest magnitude of a row and `levels` PEAK / peak, [.., 1]: the real values are the integers / levels.
    """

    high: str
    low: str
    coarse: str
    peak: str
    levels: str


@dataclass(frozen=True)
class OneByte:
    """Rows of integers in [-ZERO_POINT, ZERO_POINT): `integers` uint8 around ZERO_POINT.

    `peak` is the largest magnitude of a row and `levels` ZERO_POINT / peak, [.., 1]: the real values are the integers / levels.
    """

    integers: str
    peak: str
    levels: str


@dataclass(frozen=True)
class Normalization:
    """An RMSNorm of rows of integers, [.., 1]: `factor` turns them into normalised values times `normalization_unit`.

    `root` is 2 / factor.
    """

    factor: str
    root: str


class Operations:
    """Names nodes below a prefix and keeps constants; every method gives the name of its result."""

    def __init__(self, graph: GraphWriter, prefix: str) -> None:
        self.graph = graph
        self._prefix = prefix
        self._count: dict[str, int] = {}

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node; give its only output."""
        return self.nodes(op, *inputs, outputs=outputs, **attributes)[0]

    def nodes(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node with `outputs` outputs; give their names."""
        count = self._count[op] = self._count.get(op, -1) + 1
        name = f"{self._prefix}/{op}" + (f"_{count}" if count else "")
        results = [f"{name}/output"] + [f"{name}/output_{i}" for i in range(1, outputs)]
        self.graph.node(op, name, list(inputs), results, **attributes)
        return results

    def number(self, value: float, dtype: npt.DTypeLike = np.float32) -> str:
        """A scalar constant."""
        array = np.array(value, dtype)
        return self.graph.constant(f"number.{array.dtype.name}.{array.item()!r}", array)

    def integers(self, *values: int) -> str:
        """A list of int64, for shapes and axes."""
        return self.graph.constant("integers." + "_".join(map(str, values)), np.array(values, np.int64))

    def reshape(self, x: str, *shape: int) -> str:
        """Reshape; 0 keeps a dimension, -1 is inferred."""
        return self.node("Reshape", x, self.integers(*shape))

    def transpose(self, x: str, *order: int) -> str:
        """Reorder dimensions."""
        return self.node("Transpose", x, perm=list(order))

    def split(self, x: str, axis: int, *sizes: int) -> list[str]:
        """Cut along an axis."""
        return self.nodes("Split", x, self.integers(*sizes), outputs=len(sizes), axis=axis)

    def scaled(self, x: str, factor: float) -> str:
        """Multiply by a constant."""
        return self.node("Mul", x, self.number(factor))

    def reciprocal(self, x: str, numerator: float) -> str:
        """`numerator / x` with a power of two that is not 1: x / y and x * (1 / y) are the same bits then."""
        return self.node("Div", self.number(numerator), x)

    def peak(self, x: str) -> str:
        """The largest magnitude of each row, [.., 1], never 0."""
        largest = self.node("ReduceMax", self.node("Abs", x), axes=[-1], keepdims=1)
        return self.node("Max", largest, self.number(TINY))

    def quantized(self, x: str, scale: float, zero_point: int) -> str:
        """Round `x / scale` half to even into uint8 around a zero point; `scale` is a power of two."""
        return self.node("QuantizeLinear", x, self.number(scale), self.number(zero_point, np.uint8))

    def dequantized(self, x: str, scale: float, zero_point: int) -> str:
        """Undo `quantized`, exactly."""
        return self.node("DequantizeLinear", x, self.number(scale), self.number(zero_point, np.uint8))

    def two_bytes(self, x: str) -> TwoBytes:
        """Quantise each row of `x` by its largest magnitude."""
        peak = self.peak(x)
        levels = self.reciprocal(peak, PEAK)
        integers = self.node("Mul", x, levels)
        high = self.quantized(integers, 1 << LOW_BITS, ZERO_POINT)
        coarse = self.dequantized(high, 1 << LOW_BITS, ZERO_POINT)
        low = self.quantized(self.node("Sub", integers, coarse), 1, ZERO_POINT)
        return TwoBytes(high, low, coarse, peak, levels)

    def one_byte(self, x: str) -> OneByte:
        """Quantise each row of `x` by its largest magnitude, to half as many bits and with two thirds of the nodes of `two_bytes`."""
        peak = self.peak(x)
        levels = self.reciprocal(peak, ZERO_POINT)
        # The integer 128 is out of range and becomes 127: less than what rounding costs.
        return OneByte(self.quantized(self.node("Mul", x, levels), 1, ZERO_POINT), peak, levels)

    def matrix(self, x: str, weight: str, x_zero: int, weight_zero: int | None = None) -> str:
        """An integer product, int32; `weight_zero` is for weights that are uint8."""
        zeros = [self.number(x_zero, np.uint8)]
        if weight_zero is not None:
            zeros.append(self.number(weight_zero, np.uint8))
        return self.node("MatMulInteger", x, weight, *zeros)

    def joined(self, high: str, low: str, bound: int) -> str:
        """`high * 2^LOW_BITS + low` of two int32 products as float; summed as int32 where `bound` shows that it fits."""
        if bound <= INT32_LIMIT:
            shifted = self.node("Mul", high, self.number(1 << LOW_BITS, np.int32))
            return self.node("Cast", self.node("Add", shifted, low), to=TensorProto.FLOAT)
        parts = [self.node("Cast", part, to=TensorProto.FLOAT) for part in (high, low)]
        return self.node("Add", self.scaled(parts[0], 1 << LOW_BITS), parts[1])

    def product(self, x: OneByte | TwoBytes, name: str, weight: Int8Columns, matrix: str | None = None) -> str:
        """`x` times an int8 matrix [in, out], with the columns' scales but without the rows' (1 / `x.levels`).

        `matrix` names the matrix where the graph has it already.
        """
        matrix = matrix or self.graph.constant(f"{name}.int8", weight.values)
        scales = self.graph.constant(f"{name}.scales", weight.scales)
        return self.node("Mul", self.integer_product(x, matrix, weight.largest_column_sum), scales)

    def integer_product(self, x: OneByte | TwoBytes, matrix: str, largest_column_sum: int) -> str:
        """The integers of `x` times an int8 matrix [in, out], as float."""
        if isinstance(x, OneByte):
            return self.node("Cast", self.matrix(x.integers, matrix, ZERO_POINT), to=TensorProto.FLOAT)
        # One product of both bytes: for a single row the time goes into reading the matrix.
        both = self.matrix(self.node("Concat", x.high, x.low, axis=0), matrix, ZERO_POINT)
        high, low = self.nodes("Split", both, outputs=2, axis=0)
        # |high| <= 128 and |low| <= 128, whatever the rows are.
        bound = ZERO_POINT * ((1 << LOW_BITS) + 1) * largest_column_sum
        return self.joined(high, low, bound)

    def normalization(
        self, x: OneByte | TwoBytes, size: int, epsilon: float, levels: str | None = None
    ) -> Normalization:
        """The RMSNorm of rows of `size`; `levels` are those of the real values where `x` lacks a factor of theirs.

        With integers q = x * levels it multiplies them by 1 / sqrt(mean(q^2) + epsilon * levels^2). The squares of two bytes
        are those of the high ones. A sum of squares of bytes is exact in any order as long as it stays below 2^24; longer
        rows are summed in pieces, and the pieces as int32.
        """
        if isinstance(x, OneByte):
            integers, unit = self.dequantized(x.integers, 1, ZERO_POINT), 1
        else:
            integers, unit = x.coarse, _SQUARE_UNIT
        squares = self.node("Mul", integers, integers)
        pieces = _pieces(size)
        if pieces == 1:
            sums = self.node("ReduceSum", squares, self.integers(-1), keepdims=1)
        else:
            cut = self.reshape(squares, 0, 0, pieces, size // pieces)  # a row of a head is never this long
            units = self.node("ReduceSum", cut, self.integers(-1), keepdims=0)
            if unit != 1:
                units = self.scaled(units, 1 / unit)
            whole = self.node(
                "ReduceSum", self.node("Cast", units, to=TensorProto.INT32), self.integers(-1), keepdims=1
            )
            sums = self.node("Cast", whole, to=TensorProto.FLOAT)
            if unit != 1:
                sums = self.scaled(sums, unit)
        levels = levels or x.levels
        floor = self.scaled(self.node("Mul", levels, levels), epsilon * size)
        root = self.node("Sqrt", self.node("Add", sums, floor))
        return Normalization(self.reciprocal(root, 2.0), root)


def normalization_unit(size: int) -> float:
    """What `normalization` gives too much by: 2 / sqrt(size)."""
    return 2.0 / math.sqrt(size)


def _pieces(size: int) -> int:
    """Into how many equal pieces a row is cut so that the squares of each add up to less than 2^24 units."""
    most = FLOAT_INTEGERS // ZERO_POINT**2 - 1
    return next(count for count in range(1, size + 1) if size % count == 0 and size // count <= most)
