"""Ways to break an exact graph, one or more a rule, and what must be said of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llmzip.exact import Rule

from . import number_edits, op_edits
from .graphs import Edited

Edit = Callable[[Edited], str]
"""Changes a graph; gives the name of the node that breaks the rule then."""


@dataclass(frozen=True)
class Break:
    """A deliberate fault, the rule that it breaks, a part of what must be said of it."""

    rule: Rule
    edit: Edit
    why: str


BREAKS = {
    "exp": Break(Rule.INEXACT_OP, op_edits.exp_for_root, "not one of the ops"),
    "softmax": Break(Rule.INEXACT_OP, op_edits.softmax, "not one of the ops"),
    "float matmul": Break(Rule.INEXACT_OP, op_edits.float_matmul, "not one of the ops"),
    "another domain": Break(Rule.INEXACT_OP, op_edits.other_domain, "not one of the ops"),
    "float range": Break(Rule.INEXACT_OP, op_edits.float_range, "range of float32"),
    "float16": Break(Rule.INEXACT_TYPE, op_edits.half_precision, "float16"),
    "float16 constant": Break(Rule.INEXACT_TYPE, op_edits.half_constant, "float16"),
    "double": Break(Rule.INEXACT_TYPE, op_edits.double_precision, "double"),
    "if": Break(Rule.SUBGRAPH, op_edits.branches, "graph of its own"),
    "external weights": Break(Rule.EXTERNAL_DATA, op_edits.external_weights, "another file"),
    "sum of floats": Break(Rule.FLOAT_SUM, number_edits.sum_of_floats, "integer multiples"),
    "sum of weights": Break(Rule.FLOAT_SUM, number_edits.sum_of_weights, "integer multiples"),
    "sum of large integers": Break(Rule.FLOAT_SUM, number_edits.sum_of_large_integers, "2^24 units of 2^0"),
    "sum along unknown axes": Break(Rule.FLOAT_SUM, op_edits.unknown_axes, "along which axes"),
    "int32 sum": Break(Rule.INTEGER_OVERFLOW, number_edits.sum_too_large, "up to 48 addends"),
    "int32 product": Break(Rule.INTEGER_OVERFLOW, number_edits.shift_too_far, "do not fit int32"),
    "long context": Break(Rule.INTEGER_OVERFLOW, number_edits.context_too_long, "do not fit int32"),
    "no bound of the context": Break(Rule.INTEGER_OVERFLOW, number_edits.no_positions, "no bound"),
    "1 / y": Break(Rule.UNSAFE_DIVISION, number_edits.one_over, "the numerator is 1"),
    "3 / y": Break(Rule.UNSAFE_DIVISION, number_edits.three_over, "not one constant power of two"),
    "x / y": Break(Rule.UNSAFE_DIVISION, number_edits.plain_division, "not one constant power of two"),
    "row of zeros": Break(Rule.DIVISION_BY_ZERO, number_edits.division_by_a_row_of_zeros, "may be 0"),
    "scale 100": Break(Rule.UNSAFE_SCALE, number_edits.scale_of_100, "power of two"),
    "scales by channel": Break(Rule.UNSAFE_SCALE, number_edits.scale_by_channel, "more than one scale"),
    "dequantised by 100": Break(Rule.UNSAFE_SCALE, number_edits.dequantised_by_100, "power of two"),
    "weights of 127": Break(Rule.SATURATING_PRODUCT, number_edits.weights_of_127, "come to 254"),
    "int8 activations": Break(Rule.UNSAFE_PRODUCT, number_edits.signed_activations, "left side is int8"),
    "int8 cache": Break(Rule.UNSAFE_PRODUCT, number_edits.signed_cache, "not constant is int8"),
    "cache around 127": Break(Rule.UNSAFE_PRODUCT, number_edits.cache_around_127, "128 and 127"),
    "zero points by row": Break(Rule.UNSAFE_PRODUCT, number_edits.zero_point_by_row, "left side is not one constant"),
    "scores without maximum": Break(Rule.NARROWING_CAST, number_edits.scores_without_their_maximum, "do not fit int32"),
    "bytes of products": Break(Rule.NARROWING_CAST, number_edits.bytes_of_products, "do not fit uint8"),
    "overflow": Break(Rule.NOT_FINITE, number_edits.overflow, "exceed float32"),
    "infinite scale": Break(Rule.NOT_FINITE, number_edits.infinite_scale, "not finite"),
    "root of a difference": Break(Rule.NOT_FINITE, number_edits.root_of_a_difference, "may be negative"),
    "quantised twice": Break(Rule.FUSED_PATTERN, op_edits.quantised_twice, "quantises again"),
    "quantised product": Break(Rule.FUSED_PATTERN, op_edits.quantised_product, "stands between"),
    "forgetful cache": Break(Rule.CACHE_LENGTH, op_edits.forgetful_cache, "as long as the past and the input"),
    "wrong length": Break(Rule.DECLARED_SHAPE, op_edits.wrong_length, "long along axis"),
    "wrong name of a length": Break(Rule.DECLARED_SHAPE, op_edits.wrong_name_of_a_length, "past_sequence_length long"),
    "wrong rank": Break(Rule.DECLARED_SHAPE, op_edits.wrong_rank, "of 1 dimensions"),
    "wrong type": Break(Rule.DECLARED_SHAPE, op_edits.wrong_type, "declared as int64, and is float32"),
    "added zero": Break(Rule.FUSED_PATTERN, op_edits.added_zero, "addition of 0"),
}
