"""Ops that move elements or tell lengths. Owns symbolic shapes through them; no number changes here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .ranges import Range, union
from .report import Rule
from .shapes import ONE, Dim, Shape, number
from .step import Step, Transfer
from .values import FLOAT, INT64, INTEGERS, KIND_NAMES, Value, common_unit, full_range, of_constant


def _moved(x: Value, shape: Shape | None, *, rows: bool = False) -> Value:
    """The elements of `x` in another shape; `rows` if each row along the last axis holds a whole row of `x`."""
    return replace(x, shape=shape, constant=None, contents=None, attains=x.attains if rows else None)


def _axis(step: Step, rank: int, default: int | None = None) -> int | None:
    axis = step.attribute("axis", default)
    if axis is None or not -rank <= axis < rank:
        step.unproved(Rule.UNKNOWN_FORM, f"its axis {axis} is none of {rank}")
        return None
    return int(axis) % rank


def _told_lengths(step: Step, index: int) -> tuple[Dim, ...] | None:
    """The lengths that an input holds, if they are known; none of them is negative."""
    lengths = step.required(index).contents
    if lengths is not None and any(length.factor < 0 for length in lengths):
        step.unproved(Rule.UNKNOWN_FORM, "one of its lengths is negative")
        return None
    return lengths


def _numbers(value: Value | None) -> list[int] | None:
    """The integers of a constant."""
    return None if value is None or value.constant is None else [int(each) for each in value.constant.reshape(-1)]


def _identity(step: Step) -> Sequence[Value]:
    return [step.required(0)]


def _transpose(step: Step) -> Sequence[Value]:
    x = step.required(0)
    if x.shape is None:
        return [_moved(x, None)]
    rank = len(x.shape)
    order = [int(axis) for axis in step.attribute("perm", range(rank - 1, -1, -1))]
    if sorted(order) != list(range(rank)):
        step.unproved(Rule.UNKNOWN_FORM, f"its perm {order} is no order of {rank} axes")
        return [_moved(x, None)]
    value = _moved(x, tuple(x.shape[axis] for axis in order), rows=bool(order) and order[-1] == rank - 1)
    return [value if x.constant is None else replace(value, constant=x.constant.transpose(order))]


def _reshape(step: Step) -> Sequence[Value]:
    x, wanted = step.required(0), step.required(1).contents
    if x.shape is None or wanted is None:
        return [_moved(x, None if wanted is None else tuple(step.lengths.unknown() for _ in wanted))]
    keeps_zero = bool(step.attribute("allowzero", 0))
    shape: list[Dim] = []
    for at, dim in enumerate(wanted):
        if dim.known == 0 and not keeps_zero:
            shape.append(x.shape[at] if at < len(x.shape) else step.lengths.unknown())
        elif dim.may_be_empty and not keeps_zero:
            # Where it is 0 the input's own length stands in its place.
            shape.append(step.lengths.unknown())
        else:
            shape.append(dim)
    free = [at for at, dim in enumerate(shape) if dim.known == -1]
    for at in free[:1]:
        shape[at] = step.lengths.quotient(x.shape, [dim for dim in shape if dim.known != -1])
    rows = bool(shape) and bool(x.shape) and shape[-1] == x.shape[-1]
    value = _moved(x, tuple(shape), rows=rows)
    if len(shape) <= 1 and x.contents is not None:
        value = replace(value, contents=x.contents)
    if x.constant is not None and all(dim.known is not None for dim in shape):
        return [replace(value, constant=x.constant.reshape([dim.factor for dim in shape]))]
    return [value]


def _unsqueeze(step: Step) -> Sequence[Value]:
    x, axes = step.required(0), _numbers(step.input(1))
    if x.shape is None or axes is None:
        return [_moved(x, None)]
    rank = len(x.shape) + len(axes)
    new = {axis % rank for axis in axes}
    rest = iter(x.shape)
    shape = tuple(ONE if at in new else next(rest, ONE) for at in range(rank))
    value = _moved(x, shape, rows=rank - 1 not in new)
    return [replace(value, contents=x.contents if rank <= 1 else None)]


def _squeeze(step: Step) -> Sequence[Value]:
    x, axes = step.required(0), _numbers(step.input(1))
    if x.shape is None or (axes is None and any(dim.known is None for dim in x.shape)):
        return [_moved(x, None)]
    rank = len(x.shape)
    gone = {axis % rank for axis in axes} if axes is not None else {at for at in range(rank) if x.shape[at] == ONE}
    value = _moved(x, tuple(dim for at, dim in enumerate(x.shape) if at not in gone), rows=rank - 1 not in gone)
    return [replace(value, contents=x.contents)]


def _concat(step: Step) -> Sequence[Value]:
    # What is not there yet adds nothing.
    parts = [value for value in step.present if not value.absent]
    if not parts:
        return [step.required(0)]
    kinds = {value.kind for value in parts}
    if len(kinds) > 1:
        step.unproved(Rule.UNKNOWN_FORM, "its inputs have different types")
    shapes = [value.shape for value in step.present]
    shape = None
    last = False
    known = [each for each in shapes if each is not None]
    if len(known) == len(shapes) and len({len(each) for each in known}) == 1 and known[0]:
        axis = _axis(step, len(known[0]))
        if axis is not None:
            along = known[0][axis]
            for each in known[1:]:
                along = step.lengths.sum(along, each[axis]) or step.lengths.unknown()
            shape = (*known[0][:axis], along, *known[0][axis + 1 :])
            last = axis == len(shape) - 1
    attained = [value.attains for value in parts if value.attains is not None]
    attains = None
    if shape is not None and attained and (last or len(attained) == len(parts)):
        attains = union(*attained)
    unit = common_unit(*(value.unit for value in parts))
    contents: tuple[Dim, ...] | None = ()
    for value in parts:
        contents = None if contents is None or value.contents is None else (*contents, *value.contents)
    value = step.result(parts[0].kind, shape, union(*(value.range for value in parts)), unit, attains)
    return [replace(value, contents=contents if shape is not None and len(shape) == 1 else None)]


def _split(step: Step) -> Sequence[Value]:
    x, count = step.required(0), len(step.node.outputs)
    if x.shape is None:
        return [_moved(x, None)] * count
    axis = _axis(step, len(x.shape), 0)
    if axis is None:
        return [_moved(x, None)] * count
    sizes = _numbers(step.input(1))
    if sizes is not None:
        parts = [number(size) for size in sizes]
    else:
        along = x.shape[axis]
        even = along.factor % count == 0
        parts = [step.lengths.quotient([along], [number(count)]) if even else step.lengths.unknown(along.limit)] * count
    rows = axis != len(x.shape) - 1
    return [_moved(x, (*x.shape[:axis], part, *x.shape[axis + 1 :]), rows=rows) for part in parts]


def _slice(step: Step) -> Sequence[Value]:
    x = step.required(0)
    starts, ends, axes, steps = (_numbers(step.input(at)) for at in range(1, 5))
    if x.shape is None or starts is None or ends is None or (step.input(3) is not None and axes is None):
        # Every axis may have become shorter.
        shape = None if x.shape is None else tuple(step.lengths.unknown(dim.limit) for dim in x.shape)
        return [_moved(x, shape)]
    rank = len(x.shape)
    cut = [axis % rank for axis in (axes if axes is not None else range(len(starts)))]
    strides = steps if steps is not None else [1] * len(cut)
    dims = list(x.shape)
    for axis, start, end, stride in zip(cut, starts, ends, strides, strict=True):
        whole = dims[axis].known
        if whole is None or stride == 0 or (step.input(4) is not None and steps is None):
            dims[axis] = step.lengths.unknown(dims[axis].limit)
        else:
            dims[axis] = number(len(range(whole)[slice(start, end, stride)]))
    value = _moved(x, tuple(dims), rows=rank - 1 not in cut)
    if rank == 1 and x.contents is not None and starts and (step.input(4) is None or steps == [1]):
        return [replace(value, contents=x.contents[slice(starts[0], ends[0])])]
    return [value]


def _gather(step: Step) -> Sequence[Value]:
    x, indices = step.required(0), step.required(1)
    if x.shape is None or indices.shape is None:
        return [_moved(x, None)]
    axis = _axis(step, len(x.shape), 0)
    if axis is None:
        return [_moved(x, None)]
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    value = _moved(x, shape)
    at = indices.scalar
    if x.contents is not None and at is not None and -len(x.contents) <= at < len(x.contents):
        length = x.contents[int(at)]
        return [replace(value, range=_lengths_range((length,), x.range), contents=(length,))]
    return [value]


def _expand(step: Step) -> Sequence[Value]:
    x, wanted = step.required(0), _told_lengths(step, 1)
    if x.shape is None or wanted is None:
        return [_moved(x, None)]
    return [_moved(x, step.lengths.broadcast([x.shape, wanted]), rows=True)]


def _tile(step: Step) -> Sequence[Value]:
    x, counts = step.required(0), _told_lengths(step, 1)
    if x.shape is None or counts is None or len(counts) != len(x.shape):
        return [_moved(x, None)]
    pairs = zip(x.shape, counts, strict=True)
    return [_moved(x, tuple(step.lengths.product(pair) for pair in pairs), rows=True)]


def _shape(step: Step) -> Sequence[Value]:
    shape = step.required(0).shape
    if shape is None:
        return [step.result(INT64, (step.lengths.unknown(),), Range(0, full_range(INT64).hi), 0)]
    told = shape[slice(step.attribute("start", 0), step.node.attributes.get("end"))]
    value = step.result(INT64, (number(len(told)),), _lengths_range(told, Range(0, full_range(INT64).hi)), 0)
    return [replace(value, contents=told)]


def _lengths_range(lengths: Sequence[Dim], otherwise: Range) -> Range:
    """The numbers that lengths can be."""
    limits = [length.limit for length in lengths]
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits) or not known:
        return otherwise
    least = min((length.known if length.known is not None else 0) for length in lengths)
    return Range(least, max(*known, least))


def _range(step: Step) -> Sequence[Value]:
    start, limit, delta = (step.required(at) for at in range(3))
    if start.kind not in INTEGERS:
        step.unproved(
            Rule.INEXACT_OP, f"a range of {KIND_NAMES.get(start.kind, start.kind)} is summed up or multiplied out"
        )
        return [step.result(start.kind, (step.lengths.unknown(),), full_range(FLOAT))]
    bounds = union(start.range, limit.range)
    length = step.lengths.unknown(max(int(bounds.hi) - int(bounds.lo), 0))
    if delta.scalar == 1 and start.contents is not None and limit.contents is not None:
        told = step.lengths.difference(limit.contents[0], start.contents[0])
        length = length if told is None else told if told.factor > 0 else number(0)
    return [step.result(start.kind, (length,), bounds, 0)]


def _constant(step: Step) -> Sequence[Value]:
    told = step.node.constants.get("value")
    if told is not None and told.array is not None:
        return [_finite(step, of_constant(told.kind, told.array))]
    for name, kind, dtype in (("value_float", FLOAT, np.float32), ("value_int", INT64, np.int64)):
        for each in (name, f"{name}s"):
            if step.node.attributes.get(each) is not None:
                return [_finite(step, of_constant(kind, np.array(step.node.attributes[each], dtype)))]
    step.violate(Rule.INEXACT_TYPE, "its value is of a type that exact graphs do not have, or in another file")
    return [step.result(FLOAT, None, full_range(FLOAT))]


def _finite(step: Step, value: Value) -> Value:
    if value.range.magnitude == float("inf"):
        step.violate(Rule.NOT_FINITE, "its value is not finite")
    return value


def _constant_of_shape(step: Step) -> Sequence[Value]:
    told = step.node.constants.get("value")
    if told is not None and told.array is None:
        step.violate(Rule.INEXACT_TYPE, "its value is of a type that exact graphs do not have, or in another file")
        return [step.result(FLOAT, None, full_range(FLOAT))]
    kind, array = (FLOAT, np.zeros(1, np.float32)) if told is None or told.array is None else (told.kind, told.array)
    value = _finite(step, of_constant(kind, array))
    return [replace(value, shape=_told_lengths(step, 0), constant=None, contents=None)]


STRUCTURE: dict[str, Transfer] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Gather": _gather,
    "Identity": _identity,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
