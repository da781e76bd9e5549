"""Element-wise ops but casts. Owns which of them are correctly rounded in every engine, and what they do to intervals and units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .ranges import Range, absolute, arithmetic, mapped, maximum, minimum, negate, square, union
from .relations import below_own_maximum, scaled_to_peak
from .report import Rule
from .step import Step, Transfer
from .values import BOOL, FLOAT, KIND_NAMES, UNDEFINED, Value, common_unit, full_range, product_unit

Formula = Callable[..., Range]


def _kind(step: Step, values: Sequence[Value]) -> int:
    kinds = {value.kind for value in values} - {UNDEFINED}
    if len(kinds) > 1:
        step.violate(Rule.UNKNOWN_FORM, f"its inputs have different types: {', '.join(sorted(map(_name, kinds)))}")
    return next((value.kind for value in values if value.kind != UNDEFINED), UNDEFINED)


def _name(kind: int) -> str:
    name: str = KIND_NAMES.get(kind, str(kind))
    return name


def _apply(step: Step, formula: Formula, unit: int | None, *, bounds: Range | None = None) -> Value:
    """The value of an element-wise op; `bounds` in the place of what `formula` gives for the whole ranges."""
    values = step.present
    kind = _kind(step, values)
    ranges = [value.range for value in values]
    found = formula(*ranges) if bounds is None else bounds
    if kind not in (FLOAT, BOOL, UNDEFINED) and not found.within(full_range(kind)):
        step.unproved(
            Rule.INTEGER_OVERFLOW,
            f"results from {found.lo} to {found.hi} do not fit {_name(kind)}",
        )
        found = full_range(kind)
    shape = step.lengths.broadcast([value.shape for value in values])
    return step.result(kind, shape, found, unit, _attained(step, formula, values))


def _attained(step: Step, formula: Formula, values: Sequence[Value]) -> Range | None:
    """What one element of each row is in: that of an input, with any elements of the others."""
    names = [name for name in step.node.inputs if name]
    for same, value in zip(names, values, strict=True):
        if value.attains is not None:
            ranges = zip(names, values, strict=True)
            attains: Range = formula(*(value.attains if name == same else other.range for name, other in ranges))
            return attains
    return None


def _arithmetic(step: Step) -> Sequence[Value]:
    op = step.node.op
    a, b = step.required(0), step.required(1)
    integer = a.is_integer
    same = step.node.inputs[0] == step.node.inputs[1]
    mixes = not (same or a.fixed or b.fixed)
    unit = product_unit(a.unit, b.unit) if op == "Mul" else common_unit(a.unit, b.unit)

    def formula(x: Range, y: Range) -> Range:
        if op == "Mul" and same:
            return square(x, integer=integer)
        return arithmetic(op, x, y, integer=integer).loosened(mixes)

    if op == "Sub" and not integer:
        never_above, reaches = below_own_maximum(step)
        if never_above:
            whole = formula(a.range, b.range)
            value = _apply(step, formula, unit, bounds=Range(min(whole.lo, 0.0), 0.0, whole.loose))
            return [_with_attained(value, Range(0.0, 0.0) if reaches else None)]
    if op == "Mul" and not integer:
        peak = scaled_to_peak(step)
        if peak is not None:
            return [_apply(step, formula, unit, bounds=peak)]
    if op == "Add" and not integer and 0.0 in (a.scalar, b.scalar):
        step.violate(Rule.FUSED_PATTERN, "optimisers drop the addition of 0, which turns -0 into 0")
    value = _apply(step, formula, unit)
    return [_with_contents(step, value)]


def _with_attained(value: Value, attains: Range | None) -> Value:
    return Value(value.kind, value.shape, value.range, value.unit, attains)


def _with_contents(step: Step, value: Value) -> Value:
    """Sums and differences of lengths are lengths."""
    a, b = step.required(0).contents, step.required(1).contents
    op = step.node.op
    if a is None or b is None or len(a) != 1 or len(b) != 1 or op not in ("Add", "Sub"):
        return value
    length = step.lengths.sum(a[0], b[0]) if op == "Add" else step.lengths.difference(a[0], b[0])
    if length is None:
        return value
    bounds = value.range if length.limit is None else Range(length.known or 0, max(length.limit, length.known or 0))
    return Value(value.kind, value.shape, bounds, value.unit, contents=(length,))


def _divide(step: Step) -> Sequence[Value]:
    numerator, divisor = step.required(0), step.required(1)
    shape = step.lengths.broadcast([numerator.shape, divisor.shape])
    if numerator.is_integer or divisor.is_integer:
        step.violate(Rule.UNSAFE_DIVISION, "it divides integers")
        return [step.result(numerator.kind, shape, full_range(numerator.kind))]
    power = numerator.power_of_two
    if power is None:
        step.violate(
            Rule.UNSAFE_DIVISION,
            "the numerator is not one constant power of two: x / y and x * (1 / y) may differ in the last bit",
        )
    elif abs(power) == 1:
        step.violate(Rule.UNSAFE_DIVISION, "the numerator is 1: optimisers turn (1 / y) * z into z / y")
    bounds = divisor.range
    if not bounds.one_sided or not bounds.away:
        step.unproved(
            Rule.DIVISION_BY_ZERO, f"the divisor lies between {bounds.lo:.6g} and {bounds.hi:.6g} and may be 0"
        )
        return [step.result(FLOAT, shape, full_range(FLOAT))]

    def formula(x: Range, y: Range) -> Range:
        return arithmetic("Div", x, y, integer=False).loosened(not (numerator.fixed or divisor.fixed))

    return [_apply(step, formula, None)]


def _root(step: Step) -> Sequence[Value]:
    x = step.required(0)
    if x.kind == FLOAT and x.range.lo < 0:
        step.unproved(Rule.NOT_FINITE, f"the root of what may be negative: down to {x.range.lo:.6g}")
        return [step.result(FLOAT, x.shape, full_range(FLOAT))]
    return [_apply(step, lambda a: mapped(a, np.sqrt, keeps_zero=True), None)]


def _rounding(step: Step) -> Sequence[Value]:
    x = step.required(0)
    function = np.floor if step.node.op == "Floor" else np.rint
    unit = 0 if x.unit is None else max(x.unit, 0)
    return [_apply(step, lambda a: mapped(a, function), unit)]


def _sign(step: Step) -> Sequence[Value]:
    return [_apply(step, absolute if step.node.op == "Abs" else negate, step.required(0).unit)]


def _extreme(step: Step) -> Sequence[Value]:
    values = step.present
    if not values:
        return [step.required(0)]
    formula = maximum if step.node.op == "Max" else minimum
    return [_apply(step, formula, common_unit(*(value.unit for value in values)))]


def _relu(step: Step) -> Sequence[Value]:
    return [_apply(step, lambda a: maximum(a, Range(0, 0)), step.required(0).unit)]


def _clip(step: Step) -> Sequence[Value]:
    low, high = step.input(1), step.input(2)

    def formula(x: Range, *limits: Range) -> Range:
        at = iter(limits)
        if low is not None:
            x = maximum(x, next(at))
        return minimum(x, next(at)) if high is not None else x

    value = _apply(step, formula, common_unit(*(each.unit for each in step.present)))
    # A limit has the shape of a scalar.
    return [step.result(value.kind, step.required(0).shape, value.range, value.unit, value.attains)]


def _where(step: Step) -> Sequence[Value]:
    a, b = step.required(1), step.required(2)
    kind = _kind(step, [a, b])
    shape = step.lengths.broadcast([value.shape for value in step.present])
    # What a row attains in both need not be where it is chosen: nothing is known of that.
    return [step.result(kind, shape, union(a.range, b.range), common_unit(a.unit, b.unit))]


def _truth(step: Step) -> Sequence[Value]:
    """Comparisons and logic: of equal bits they make equal ones."""
    shape = step.lengths.broadcast([value.shape for value in step.present])
    return [step.result(BOOL, shape, full_range(BOOL), 0)]


ELEMENTWISE: dict[str, Transfer] = {
    "Abs": _sign,
    "Add": _arithmetic,
    "Clip": _clip,
    "Div": _divide,
    "Floor": _rounding,
    "Max": _extreme,
    "Min": _extreme,
    "Mul": _arithmetic,
    "Neg": _sign,
    "Relu": _relu,
    "Round": _rounding,
    "Sqrt": _root,
    "Sub": _arithmetic,
    "Where": _where,
    **dict.fromkeys(
        ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"),
        _truth,
    ),
}
