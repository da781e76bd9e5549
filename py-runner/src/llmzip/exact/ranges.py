"""Intervals of the numbers in a tensor. Owns their arithmetic; knows no graph.

Bounds of integers are Python's, without limits. Bounds of float32 are float32 numbers, computed as an engine computes
elements: rounding is monotone, so that the rounded bounds hold every rounded result, without slack. A bound may come out as
infinite: whoever asked for the arithmetic judges that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

FLOAT_MAX = float(np.finfo(np.float32).max)
MIN_NORMAL = 2.0**-126
Number = int | float


@dataclass(frozen=True)
class Range:
    """All numbers lie in [lo, hi].

    `loose` says that the bounds are not known to be reached: they mix tensors that may depend on each other, or rest on a value that
    is taken to stay finite. `nonzero` says that no number is 0, if no float operation underflows.
    """

    lo: Number
    hi: Number
    loose: bool = False
    nonzero: bool = False

    @property
    def away(self) -> bool:
        """Whether 0 is excluded, and with it whatever has no finite reciprocal."""
        return self.nonzero or self.lo >= MIN_NORMAL or self.hi <= -MIN_NORMAL

    @property
    def one_sided(self) -> bool:
        """Whether no two numbers have opposite signs."""
        return self.lo >= 0 or self.hi <= 0

    @property
    def magnitude(self) -> Number:
        """The largest magnitude."""
        return max(abs(self.lo), abs(self.hi))

    def within(self, other: Range) -> bool:
        """Whether all of it lies in `other`, and what `other` promises holds."""
        return other.lo <= self.lo and self.hi <= other.hi and (self.away or not other.away)

    def loosened(self, loose: bool) -> Range:
        """The same bounds, loose if they were or `loose` is."""
        return replace(self, loose=self.loose or loose)


def union(*ranges: Range) -> Range:
    """The numbers of all."""
    return Range(
        min(each.lo for each in ranges),
        max(each.hi for each in ranges),
        any(each.loose for each in ranges),
        all(each.away for each in ranges),
    )


def cut(a: Range, lo: Number, hi: Number) -> Range:
    """The numbers of `a` that lie in [lo, hi]; where there are none, the nearest bound."""
    return replace(a, lo=min(max(a.lo, lo), hi), hi=max(min(a.hi, hi), lo))


def f32(value: Number) -> float:
    """Round to float32; what is too large becomes infinite."""
    with np.errstate(all="ignore"):
        return float(np.float32(value))


def _float(f: Callable[[np.float32, np.float32], np.float32]) -> Callable[[Number, Number], Number]:
    def compute(x: Number, y: Number) -> Number:
        with np.errstate(all="ignore"):
            return float(f(np.float32(x), np.float32(y)))

    return compute


_EXACT: dict[str, Callable[[Number, Number], Number]] = {
    "Add": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mul": lambda x, y: x * y,
}
_ROUNDED: dict[str, Callable[[Number, Number], Number]] = {
    "Add": _float(lambda x, y: x + y),
    "Sub": _float(lambda x, y: x - y),
    "Mul": _float(lambda x, y: x * y),
    "Div": _float(lambda x, y: x / y),
}


def arithmetic(op: str, a: Range, b: Range, *, integer: bool) -> Range:
    """Add, Sub, Mul, or Div of floats by a range that is one-sided."""
    if op == "Div" and b.lo <= 0 <= b.hi:
        return _reciprocals(a, b)
    f = (_EXACT if integer else _ROUNDED)[op]
    corners = [f(x, y) for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
    if op in ("Mul", "Div"):
        nonzero = a.away and b.away
    elif op == "Add":
        both = (a.lo >= 0 and b.lo >= 0) or (a.hi <= 0 and b.hi <= 0)
        nonzero = both and (a.away or b.away)
    else:
        nonzero = False
    return Range(min(corners), max(corners), a.loose or b.loose, nonzero)


def _reciprocals(a: Range, b: Range) -> Range:
    """`a / b` where `b` reaches 0 from one side: as large as can be."""
    divide = _ROUNDED["Div"]
    far = b.hi if b.lo == 0 else b.lo
    ends = [divide(x, far) if far else FLOAT_MAX for x in (a.lo, a.hi)]
    ends += [np.sign(x) * np.sign(far) * FLOAT_MAX for x in (a.lo, a.hi)]
    return Range(float(min(ends)), float(max(ends)), loose=True, nonzero=a.away)


def square(a: Range, *, integer: bool) -> Range:
    """`x * x`."""
    f = (_EXACT if integer else _ROUNDED)["Mul"]
    ends = sorted((f(a.lo, a.lo), f(a.hi, a.hi)))
    return Range(ends[0] if a.one_sided else 0, ends[1], a.loose, a.away)


def maximum(*ranges: Range) -> Range:
    """The largest of an element each."""
    lo = max(each.lo for each in ranges)
    nonzero = any(each.lo >= 0 and each.away for each in ranges) or all(each.away for each in ranges)
    return Range(lo, max(each.hi for each in ranges), any(each.loose for each in ranges), nonzero)


def negate(a: Range) -> Range:
    """`-x`."""
    return replace(a, lo=-a.hi, hi=-a.lo)


def minimum(*ranges: Range) -> Range:
    """The smallest of an element each."""
    return negate(maximum(*map(negate, ranges)))


def absolute(a: Range) -> Range:
    """`|x|`."""
    lo = min(abs(a.lo), abs(a.hi)) if a.one_sided else 0
    return Range(lo, a.magnitude, a.loose, a.away)


def mapped(a: Range, f: Callable[[np.float32], np.float32], *, keeps_zero: bool = False) -> Range:
    """A monotone function of float32; `keeps_zero` if only 0 becomes 0."""
    with np.errstate(all="ignore"):
        lo, hi = (float(f(np.float32(x))) for x in (a.lo, a.hi))
    return Range(lo, hi, a.loose, keeps_zero and a.away)


def total(a: Range, count: int) -> Range:
    """The sum of up to `count` elements, and of any part of them."""
    return Range(min(count * a.lo, 0), max(count * a.hi, 0), a.loose)
