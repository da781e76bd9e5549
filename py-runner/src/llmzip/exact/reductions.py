"""ReduceMax, ReduceMin and ReduceSum. Owns the proof that a sum is the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .graph import Node
from .ranges import Range, f32, total
from .report import Rule
from .shapes import ONE, Shape
from .step import Step, Transfer
from .values import FLOAT, KIND_NAMES, Value, full_range

_EXACT_INTEGERS = 1 << 24
"""float32 holds every integer up to this one."""


def reduced_axes(node: Node, inputs: Sequence[Value | None]) -> list[int] | None:
    """The axes that a node reduces, none of them negative; None where they cannot be told."""
    shape = inputs[0].shape if inputs and inputs[0] is not None else None
    if shape is None:
        return None
    axes = node.attributes.get("axes")
    given = inputs[1] if len(inputs) > 1 else None
    if given is not None:
        if given.constant is None:
            return None
        axes = [int(axis) for axis in given.constant.reshape(-1)]
    if not axes:
        return [] if node.attributes.get("noop_with_empty_axes") else list(range(len(shape)))
    found = sorted({axis + len(shape) if axis < 0 else axis for axis in axes})
    return found if all(0 <= axis < len(shape) for axis in found) else None


def _reduced_shape(step: Step, axes: list[int]) -> Shape | None:
    shape = step.required(0).shape
    if shape is None:
        return None
    if step.attribute("keepdims", 1):
        return tuple(ONE if axis in axes else dim for axis, dim in enumerate(shape))
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)


def _extreme(step: Step) -> Sequence[Value]:
    x = step.required(0)
    axes = reduced_axes(step.node, step.inputs)
    if axes is None or x.shape is None:
        step.unproved(Rule.UNKNOWN_FORM, "it is not known along which axes it goes")
        return [step.result(x.kind, None, x.range, x.unit)]
    if any(x.shape[axis].may_be_empty for axis in axes):
        step.unproved(Rule.NOT_FINITE, "it goes along an axis that may have no elements")
    bounds = x.range
    if step.node.op == "ReduceMax" and x.attains is not None and axes == [len(x.shape) - 1]:
        lo = max(bounds.lo, x.attains.lo)
        away = bounds.away or (x.attains.lo >= 0 and x.attains.away)
        bounds = Range(lo, bounds.hi, bounds.loose or x.attains.loose, away)
    return [step.result(x.kind, _reduced_shape(step, axes), bounds, x.unit)]


def _sum(step: Step) -> Sequence[Value]:
    x = step.required(0)
    axes = reduced_axes(step.node, step.inputs)
    if axes is None or x.shape is None:
        step.unproved(_rule(x), "it is not known along which axes it goes")
        return [step.result(x.kind, None, full_range(x.kind))]
    shape = _reduced_shape(step, axes)
    count = step.lengths.product(x.shape[axis] for axis in axes).limit
    if count is None:
        step.unproved(_rule(x), "the number of addends has no bound")
        return [step.result(x.kind, shape, full_range(x.kind))]
    bounds = total(x.range, count)
    if x.attains is not None and x.range.lo >= 0 and axes == [len(x.shape) - 1]:
        bounds = replace(bounds, lo=x.attains.lo, nonzero=x.attains.away)
    largest = max(abs(bounds.lo), abs(bounds.hi))
    if x.kind == FLOAT:
        if x.unit is None:
            step.unproved(Rule.FLOAT_SUM, "its addends are not known to be integer multiples of one power of two")
        elif largest >= _EXACT_INTEGERS * 2.0**x.unit:
            step.unproved(
                Rule.FLOAT_SUM,
                f"up to {count} addends of up to {x.range.magnitude:.9g} can reach 2^24 units of 2^{x.unit}: partial sums are rounded",
            )
        bounds = replace(bounds, lo=f32(bounds.lo), hi=f32(bounds.hi))
    elif not bounds.within(full_range(x.kind)):
        step.unproved(
            Rule.INTEGER_OVERFLOW,
            f"up to {count} addends from {x.range.lo} to {x.range.hi} can leave {KIND_NAMES.get(x.kind, '?')}",
        )
        bounds = full_range(x.kind)
    return [step.result(x.kind, shape, bounds, x.unit)]


def _rule(x: Value) -> Rule:
    return Rule.FLOAT_SUM if x.kind == FLOAT else Rule.INTEGER_OVERFLOW


REDUCTIONS: dict[str, Transfer] = {"ReduceMax": _extreme, "ReduceMin": _extreme, "ReduceSum": _sum}
