"""The exponential of exact graphs: a polynomial and repeated squaring. Owns its constants and their error.

exp(x) is ((1 + (1 + x / 64)^2) / 2)^64 with an error of |x|^3 / 24,576 of itself: 0.1 % at -3. It needs nothing but sums and
products of single elements, and costs a quarter of a table: a Gather copies element by element.
"""

import math

from .operations import Operations

SQUARINGS = 6
_ROOT = 1 << SQUARINGS


def root_scale(log2_unit: int = 0) -> float:
    """What x must be multiplied by before `exponential`, which then gives `2^log2_unit * exp(x)`."""
    # The unit is worked into the constants: each of the 64 factors gets its 64th root, each of their roots its 128th.
    return math.sqrt(_half(log2_unit)) / _ROOT


def exponential(ops: Operations, root: str, log2_unit: int = 0, ceiling: float | None = None) -> str:
    """`2^log2_unit * exp(x)` for `root` = x * root_scale(log2_unit); down to 2^(log2_unit - 64), which stands for 0.

    `ceiling`, in units of the root of a factor, keeps the result finite where x may be large.
    """
    half = _half(log2_unit)
    shifted = ops.node("Add", root, ops.number(math.sqrt(half)))
    limits = [ops.number(0.0)] + ([] if ceiling is None else [ops.number(ceiling)])
    factor = ops.node("Clip", shifted, *limits)
    value = ops.node("Add", ops.node("Mul", factor, factor), ops.number(half))
    for _ in range(SQUARINGS):
        value = ops.node("Mul", value, value)
    return value


def _half(log2_unit: int) -> float:
    return math.exp2(log2_unit / _ROOT - 1)
