"""Cast, QuantizeLinear, DequantizeLinear. Owns which changes of type are the same in every engine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .ranges import Range, arithmetic, cut, f32, mapped
from .report import Rule
from .step import Step, Transfer
from .values import BOOL, FLOAT, INT8, KIND_NAMES, KINDS, UINT8, Value, full_range, product_unit


def _cast(step: Step) -> Sequence[Value]:
    x, kind = step.required(0), int(step.attribute("to", 0))
    if kind not in KINDS:
        step.violate(Rule.INEXACT_TYPE, f"it casts to {KIND_NAMES.get(kind, kind)}")
        return [step.result(kind, x.shape, full_range(FLOAT))]
    if kind == BOOL:
        return [step.result(kind, x.shape, full_range(kind), 0)]
    if kind == FLOAT:
        # An integer beyond 2^24 is rounded once, correctly, to an integer.
        return [step.result(kind, x.shape, _rounded(x.range), x.unit, x.attains and _rounded(x.attains))]
    bounds, limits = _truncated(x.range), full_range(kind)
    if not bounds.within(limits):
        step.unproved(
            Rule.NARROWING_CAST,
            f"numbers from {x.range.lo:.9g} to {x.range.hi:.9g} do not fit {KIND_NAMES[kind]}: engines differ there",
        )
        bounds = cut(bounds, limits.lo, limits.hi)
    unit = x.unit if x.kind != FLOAT else max(x.unit or 0, 0)
    value = step.result(kind, x.shape, bounds, unit, x.attains and _truncated(x.attains))
    return [Value(kind, value.shape, bounds, unit, value.attains, contents=x.contents)]


def _rounded(a: Range) -> Range:
    return Range(f32(a.lo), f32(a.hi), a.loose, a.away)


def _truncated(a: Range) -> Range:
    return Range(math.trunc(a.lo), math.trunc(a.hi), a.loose, a.nonzero and isinstance(a.lo, int))


def _parameters(step: Step) -> tuple[float, int] | None:
    """Scale and zero point, if they are what the rule wants: one power of two, and one constant."""
    scale, zero = step.required(1), step.input(2)
    if int(step.attribute("block_size", 0)) or (scale.constant is not None and scale.constant.size != 1):
        step.violate(Rule.UNSAFE_SCALE, "it has more than one scale")
        return None
    power = scale.power_of_two
    if power is None or power < 0:
        step.violate(
            Rule.UNSAFE_SCALE,
            "the scale is not one constant power of two: x / scale and x * (1 / scale) may round to different integers",
        )
        return None
    point = 0 if zero is None else zero.scalar
    if point is None:
        step.violate(Rule.UNSAFE_SCALE, "the zero point is not one constant")
        return None
    return power, int(point)


def _quantized(step: Step) -> Sequence[Value]:
    x, zero = step.required(0), step.input(2)
    kind = UINT8 if zero is None else zero.kind
    if "output_dtype" in step.node.attributes and zero is None:
        kind = int(step.attribute("output_dtype", UINT8)) or UINT8
    if kind not in (UINT8, INT8):
        step.violate(Rule.INEXACT_TYPE, f"it quantises to {KIND_NAMES.get(kind, kind)}")
    limits = full_range(kind)
    parameters = _parameters(step)
    if x.kind != FLOAT and not x.tainted:
        step.violate(Rule.UNKNOWN_FORM, f"it quantises {KIND_NAMES.get(x.kind, x.kind)}")
    if parameters is None or x.kind != FLOAT:
        return [step.result(kind, x.shape, limits, 0)]
    scale, point = parameters

    def formula(a: Range) -> Range:
        exact = arithmetic("Div", a, Range(scale, scale), integer=False)
        # What is infinite saturates as well as any large number.
        small = cut(exact, -1024.0, 1024.0)
        return cut(Range(round(small.lo) + point, round(small.hi) + point), limits.lo, limits.hi)

    return [step.result(kind, x.shape, formula(x.range), 0, x.attains and formula(x.attains))]


def _dequantized(step: Step) -> Sequence[Value]:
    x = step.required(0)
    parameters = _parameters(step)
    if parameters is None or not x.is_integer:
        if not x.is_integer and not x.tainted:
            step.violate(Rule.UNKNOWN_FORM, f"it dequantises {KIND_NAMES.get(x.kind, x.kind)}")
        return [step.result(FLOAT, x.shape, full_range(FLOAT))]
    scale, point = parameters
    if x.kind not in (UINT8, INT8):
        step.violate(Rule.UNKNOWN_FORM, f"it dequantises {KIND_NAMES[x.kind]}")

    def formula(a: Range) -> Range:
        whole = Range(f32(a.lo - point), f32(a.hi - point), a.loose)
        return mapped(whole, lambda number: number * type(number)(scale))

    exponent = math.frexp(scale)[1] - 1
    return [step.result(FLOAT, x.shape, formula(x.range), product_unit(0, exponent), x.attains and formula(x.attains))]


CASTS: dict[str, Transfer] = {"Cast": _cast, "QuantizeLinear": _quantized, "DequantizeLinear": _dequantized}
