"""What a tensor and its own maximum have to do with each other. Owns the patterns that intervals alone cannot see.

Both rest on float rounding being monotone: `x - max(x)` rounds to no more than 0, and `x * (c / m)` with |x| <= m has two
roundings, each at most 2^-24 of the result, so that it stays below c * (1 + 2^-22). Where c / m may be subnormal its rounding is
up to 2^-150 whatever it is itself, and may add m times that: `most` is raised by it.
"""

from __future__ import annotations

from .graph import Graph
from .ranges import MIN_NORMAL, Range, f32
from .reductions import reduced_axes
from .step import Step
from .values import Value

_SLACK = 1 + 2.0**-22
_HALF_LEAST = 2.0**-150
"""Half of the smallest number above 0: the largest rounding of a subnormal number."""


def largest_of(graph: Graph, name: str) -> str | None:
    """The tensor whose maximum along some axes, which are kept as 1, `name` is."""
    maker = graph.maker(name)
    if maker is None or maker.op != "ReduceMax" or maker.domain or not maker.attributes.get("keepdims", 1):
        return None
    return maker.input(0)


def below_own_maximum(step: Step) -> tuple[bool, bool]:
    """Of a Sub: whether it is `x - ReduceMax(x)`, and whether each row along the last axis then has a 0."""
    x, largest = step.node.inputs[:2]
    if largest_of(step.graph, largest) != x:
        return False, False
    maker, shape = step.graph.makers[largest], step.values[x].shape
    if shape is None or not shape or shape[-1].may_be_empty:
        return True, False
    axes = reduced_axes(maker, [step.values[name] if name else None for name in maker.inputs])
    return True, axes == [len(shape) - 1]


def scaled_to_peak(step: Step) -> Range | None:
    """Of a Mul: the bounds if it is `x * (c / m)` where m is at least the largest |x| of the row."""
    a, b = step.node.inputs[:2]
    for x, levels in ((a, b), (b, a)):
        maker = step.graph.maker(levels)
        if maker is None or maker.op != "Div" or maker.domain:
            continue
        peak = step.values[maker.input(0)].power_of_two
        if peak is not None and _bounds_magnitude(step, maker.input(1), x):
            highest = step.values[maker.input(1)].range.hi
            coarse = highest * _HALF_LEAST if abs(peak) < MIN_NORMAL * highest else 0.0
            most = f32((abs(peak) + coarse) * _SLACK)
            bounds = step.values[x].range
            if not bounds.one_sided:
                return Range(-most, most)
            return Range(0, most) if (bounds.lo >= 0) == (peak > 0) else Range(-most, 0)
    return None


def _bounds_magnitude(step: Step, name: str, x: str) -> bool:
    """Whether `name` is at least |x| of the row, by being the maximum of it and others."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        maker = step.graph.maker(each)
        if each in seen or maker is None or maker.domain:
            continue
        seen.add(each)
        if maker.op == "Max":
            waiting.extend(maker.inputs)
        elif _is_largest(step, each, x):
            return True
    return False


def _is_largest(step: Step, name: str, x: str) -> bool:
    """Whether `name` is the largest |x| of the row."""
    source = largest_of(step.graph, name)
    if source is None:
        return False
    if source == x:
        known: Value = step.values[x]
        return known.range.lo >= 0
    inner = step.graph.maker(source)
    return inner is not None and inner.op == "Abs" and not inner.domain and inner.input(0) == x
