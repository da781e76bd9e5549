"""Ways to break an exact graph, one or more a rule. Owns the edits and which node each makes wrong.

Nodes are found by what they do, so that they are found whatever the exporter calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from llmzip.exact import Rule

from .graphs import Edited

Edit = Callable[[Edited], str]
"""Changes a graph; gives the name of the node that breaks the rule then."""


@dataclass(frozen=True)
class Break:
    """A deliberate fault, the rule that it breaks, a part of what must be said of it."""

    rule: Rule
    edit: Edit
    why: str
    positions: int | None = None


def _root(graph: Edited) -> Any:
    return graph.find("Sqrt")


def _float_sum(graph: Edited) -> Any:
    """The sum of squares of a norm."""
    return graph.find("ReduceSum", lambda node: graph.made_by(node, "Mul"))


def _whole_sum(graph: Edited) -> Any:
    """The int32 sum of the attention's weights."""
    return graph.find("ReduceSum", lambda node: graph.made_by(node, "Cast"))


def _high_byte(graph: Edited) -> Any:
    """The QuantizeLinear of a high byte."""
    return graph.find("QuantizeLinear", lambda node: graph.constant(node.input[1]) == 128)


def _product(graph: Edited) -> Any:
    """A MatMulInteger with constant weights."""
    return graph.find("MatMulInteger", lambda node: graph.constant(node.input[1]) is not None)


def _cache_product(graph: Edited) -> Any:
    """A MatMulInteger of two tensors that are not constant, both around 128."""
    return graph.find("MatMulInteger", lambda node: node.input[1].startswith("present."))


def _peak_division(graph: Edited) -> Any:
    """The division by a row's largest magnitude."""
    return graph.find("Div", lambda node: graph.made_by(node, "Max", 1))


def _total_division(graph: Edited) -> Any:
    """The division by the sum of the attention's weights."""
    return graph.find("Div", lambda node: graph.made_by(node, "Cast", 1))


def _shift(graph: Edited) -> Any:
    """The int32 Mul of a high product."""
    return graph.find("Mul", lambda node: graph.made_by(node, "Split") and graph.constant(node.input[1]) == 128)


def exp_for_root(graph: Edited) -> str:
    node = _root(graph)
    node.op_type = "Exp"
    return str(node.name)


def other_domain(graph: Edited) -> str:
    node = graph.insert(_root(graph), 0, "QuickGelu", domain="com.microsoft")
    return str(node.name)


def softmax(graph: Edited) -> str:
    """In the place of the attention's own exponential, whose argument it takes."""
    cast = graph.maker(_whole_sum(graph).input[0])
    weights, argument = cast.input[0], graph.maker(graph.find("Clip").input[0]).input[0]
    node = graph.insert(cast, 0, "Softmax", axis=-1)
    node.input[0] = argument
    scaled = graph.insert(cast, 0, "Mul", graph.new_constant(2.0**15))
    for user in graph.users(weights):
        user.input[list(user.input).index(weights)] = scaled.output[0]
    return str(node.name)


def float_matmul(graph: Edited) -> str:
    """The mean of values by low bytes, with what the bytes were rounded from."""
    node = graph.find(
        "MatMulInteger",
        lambda each: each.input[1].endswith(".value") and graph.made_by(graph.maker(each.input[0]), "Sub"),
    )
    node.op_type = "MatMul"
    node.input[0] = graph.maker(node.input[0]).input[0]
    graph.insert(node, 1, "Cast", to=TensorProto.FLOAT)
    del node.input[2:]
    return str(node.name)


def half_precision(graph: Edited) -> str:
    node = _root(graph)
    cast = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT16)
    graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    return str(cast.name)


def half_constant(graph: Edited) -> str:
    node = graph.insert(_root(graph), 0, "Mul")
    node.op_type = "Cast"
    node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT16))
    product = graph.insert(_root(graph), 0, "Mul", graph.new_constant(2.0, np.float16))
    node.attribute[0].i = TensorProto.FLOAT
    return str(product.name)


def double_precision(graph: Edited) -> str:
    node = _root(graph)
    cast = graph.insert(node, 0, "Cast", to=TensorProto.DOUBLE)
    graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    return str(cast.name)


def branches(graph: Edited) -> str:
    node = _root(graph)
    taken = node.input[0]
    branch = helper.make_graph(
        [helper.make_node("Identity", [taken], ["inner"])],
        "branch",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    either = graph.insert(node, 0, "If", then_branch=branch, else_branch=branch)
    either.input[0] = graph.new_constant(True, np.bool_)
    return str(either.name)


def external_weights(graph: Edited) -> str:
    node = _product(graph)
    tensor = next(each for each in graph.graph.initializer if each.name == node.input[1])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return str(node.name)


def sum_of_floats(graph: Edited) -> str:
    """The squares of the numbers themselves, not of their high bytes."""
    node = _float_sum(graph)
    square = graph.maker(node.input[0])
    scaled = graph.maker(graph.maker(square.input[0]).input[0]).input[0]
    square.input[0] = square.input[1] = scaled
    return str(node.name)


def sum_of_weights(graph: Edited) -> str:
    """The attention's weights as they are, not as integers."""
    node = _whole_sum(graph)
    node.input[0] = graph.maker(node.input[0]).input[0]
    return str(node.name)


def sum_of_large_integers(graph: Edited) -> str:
    """The squares of 15-bit integers: each is exact, partial sums are not."""
    sum_of_floats(graph)
    node = _float_sum(graph)
    square = graph.maker(node.input[0])
    rounded = graph.insert(square, 0, "Round")
    square.input[1] = rounded.output[0]
    return str(node.name)


def sum_too_large(graph: Edited) -> str:
    cast = graph.maker(_whole_sum(graph).input[0])
    graph.insert(cast, 0, "Mul", graph.new_constant(2.0**15))
    return str(_whole_sum(graph).name)


def shift_too_far(graph: Edited) -> str:
    node = _shift(graph)
    node.input[1] = graph.new_constant(1 << 20, np.int32)
    return str(node.name)


def context_too_long(graph: Edited) -> str:
    """Of a product over the context; the graph itself is as it was."""
    return str(graph.find("MatMulInteger", lambda node: node.input[1].endswith(".value")).name)


def no_positions(graph: Edited) -> str:
    """The tables are looked up by the ids."""
    for node in graph.nodes("Gather"):
        for index, name in enumerate(node.input):
            if name == "position_ids":
                node.input[index] = "input_ids"
    return context_too_long(graph)


def one_over(graph: Edited) -> str:
    node = _total_division(graph)
    node.input[0] = graph.new_constant(1.0)
    return str(node.name)


def three_over(graph: Edited) -> str:
    node = _total_division(graph)
    node.input[0] = graph.new_constant(3.0)
    return str(node.name)


def plain_division(graph: Edited) -> str:
    division = _peak_division(graph)
    node = graph.find("Mul", lambda each: division.output[0] in each.input)
    node.op_type = "Div"
    node.input[1] = division.input[1]
    return str(node.name)


def division_by_a_row_of_zeros(graph: Edited) -> str:
    node = _peak_division(graph)
    node.input[1] = next(name for name in graph.maker(node.input[1]).input if graph.maker(name).op_type == "ReduceMax")
    return str(node.name)


def scale_of_100(graph: Edited) -> str:
    node = _high_byte(graph)
    node.input[1] = graph.new_constant(100.0)
    return str(node.name)


def scale_by_channel(graph: Edited) -> str:
    node = _high_byte(graph)
    node.input[1] = graph.new_constant([128.0] * 64)
    node.input[2] = graph.new_constant([128] * 64, np.uint8)
    return str(node.name)


def dequantised_by_100(graph: Edited) -> str:
    node = graph.find("DequantizeLinear")
    node.input[1] = graph.new_constant(100.0)
    return str(node.name)


def weights_of_127(graph: Edited) -> str:
    node = _product(graph)
    weights = graph.constant(node.input[1])
    assert weights is not None
    weights = weights.copy()
    weights[4:6, 3] = 127, -127
    graph.replace_constant(node.input[1], weights)
    return str(node.name)


def signed_activations(graph: Edited) -> str:
    node = _product(graph)
    quantised = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    parts = graph.insert(node, 0, "Sub", graph.new_constant(128.0))
    graph.insert(node, 0, "Cast", to=TensorProto.INT8)
    assert parts.input[0] == quantised.output[0]
    del node.input[2:]
    return str(node.name)


def cache_around_127(graph: Edited) -> str:
    node = _cache_product(graph)
    node.input[3] = graph.new_constant(127, np.uint8)
    return str(node.name)


def zero_point_by_row(graph: Edited) -> str:
    node = _cache_product(graph)
    node.input[2] = graph.new_constant([128, 127], np.uint8)
    return str(node.name)


def signed_cache(graph: Edited) -> str:
    node = _cache_product(graph)
    graph.insert(node, 1, "Cast", to=TensorProto.FLOAT)
    graph.insert(node, 1, "Sub", graph.new_constant(128.0))
    graph.insert(node, 1, "Cast", to=TensorProto.INT8)
    del node.input[3:]
    return str(node.name)


def scores_without_their_maximum(graph: Edited) -> str:
    """The exponential of the scores themselves may be as large as it likes; it is cast to int32."""
    below = graph.find("Sub", lambda node: graph.made_by(node, "ReduceMax", 1))
    for user in graph.users(below.output[0]):
        user.input[list(user.input).index(below.output[0])] = below.input[0]
    return str(graph.maker(_whole_sum(graph).input[0]).name)


def bytes_of_products(graph: Edited) -> str:
    shift = _shift(graph)
    node = graph.insert(shift, 0, "Cast", to=TensorProto.UINT8)
    graph.insert(shift, 0, "Cast", to=TensorProto.INT32)
    return str(node.name)


def overflow(graph: Edited) -> str:
    """A dequantised byte times 2^120."""
    square = graph.maker(_float_sum(graph).input[0])
    node = graph.insert(square, 0, "Mul", graph.new_constant(2.0**120))
    return str(node.name)


def infinite_scale(graph: Edited) -> str:
    node = graph.find("Mul", lambda each: each.input[1].endswith(".scales"))
    scales = graph.constant(node.input[1])
    assert scales is not None
    scales = scales.copy()
    scales[5] = np.inf
    graph.replace_constant(node.input[1], scales)
    return str(node.name)


def root_of_a_difference(graph: Edited) -> str:
    node = _root(graph)
    graph.maker(node.input[0]).op_type = "Sub"
    return str(node.name)


def quantised_twice(graph: Edited) -> str:
    """What becomes a high byte is rounded twice before, to different multiples."""
    byte = _high_byte(graph)
    names = []
    for scale, zero in ((64.0, 128), (1024.0, 100)):
        parameters = graph.new_constant(scale), graph.new_constant(zero, np.uint8)
        names.append(graph.insert(byte, 0, "QuantizeLinear", *parameters).name)
        graph.insert(byte, 0, "DequantizeLinear", *parameters)
    return str(names[1])


def quantised_product(graph: Edited) -> str:
    """The squares of high parts, as bytes: one quantised product to an optimiser."""
    total = _float_sum(graph)
    parameters = graph.new_constant(2.0**20), graph.new_constant(0, np.uint8)
    node = graph.insert(total, 0, "QuantizeLinear", *parameters)
    graph.insert(total, 0, "DequantizeLinear", *parameters)
    return str(node.name)


def added_zero(graph: Edited) -> str:
    return str(graph.insert(_root(graph), 0, "Add", graph.new_constant(0.0)).name)


def float_range(graph: Edited) -> str:
    """Positions that are counted in float32."""
    node = graph.find("Range")
    for index in range(3):
        graph.insert(node, index, "Cast", to=TensorProto.FLOAT)
    users = graph.users(node.output[0])
    graph.insert(users[0], list(users[0].input).index(node.output[0]), "Cast", to=TensorProto.INT64)
    return str(node.name)


def unknown_axes(graph: Edited) -> str:
    node = _float_sum(graph)
    axes = graph.insert(node, 1, "Gather", "input_ids")
    axes.input[0] = graph.new_constant([-1], np.int64)
    return str(node.name)


BREAKS = {
    "exp": Break(Rule.INEXACT_OP, exp_for_root, "not one of the ops"),
    "softmax": Break(Rule.INEXACT_OP, softmax, "not one of the ops"),
    "float matmul": Break(Rule.INEXACT_OP, float_matmul, "not one of the ops"),
    "another domain": Break(Rule.INEXACT_OP, other_domain, "not one of the ops"),
    "float range": Break(Rule.INEXACT_OP, float_range, "range of float32"),
    "float16": Break(Rule.INEXACT_TYPE, half_precision, "float16"),
    "float16 constant": Break(Rule.INEXACT_TYPE, half_constant, "float16"),
    "double": Break(Rule.INEXACT_TYPE, double_precision, "double"),
    "if": Break(Rule.SUBGRAPH, branches, "graph of its own"),
    "external weights": Break(Rule.EXTERNAL_DATA, external_weights, "another file"),
    "sum of floats": Break(Rule.FLOAT_SUM, sum_of_floats, "integer multiples"),
    "sum of weights": Break(Rule.FLOAT_SUM, sum_of_weights, "integer multiples"),
    "sum of large integers": Break(Rule.FLOAT_SUM, sum_of_large_integers, "2^24 units of 2^0"),
    "sum along unknown axes": Break(Rule.FLOAT_SUM, unknown_axes, "along which axes"),
    "int32 sum": Break(Rule.INTEGER_OVERFLOW, sum_too_large, "up to 48 addends"),
    "int32 product": Break(Rule.INTEGER_OVERFLOW, shift_too_far, "do not fit int32"),
    "long context": Break(Rule.INTEGER_OVERFLOW, context_too_long, "do not fit int32", positions=40_000),
    "no bound of the context": Break(Rule.INTEGER_OVERFLOW, no_positions, "no bound"),
    "1 / y": Break(Rule.UNSAFE_DIVISION, one_over, "the numerator is 1"),
    "3 / y": Break(Rule.UNSAFE_DIVISION, three_over, "not one constant power of two"),
    "x / y": Break(Rule.UNSAFE_DIVISION, plain_division, "not one constant power of two"),
    "row of zeros": Break(Rule.DIVISION_BY_ZERO, division_by_a_row_of_zeros, "may be 0"),
    "scale 100": Break(Rule.UNSAFE_SCALE, scale_of_100, "power of two"),
    "scales by channel": Break(Rule.UNSAFE_SCALE, scale_by_channel, "more than one scale"),
    "dequantised by 100": Break(Rule.UNSAFE_SCALE, dequantised_by_100, "power of two"),
    "weights of 127": Break(Rule.SATURATING_PRODUCT, weights_of_127, "come to 254"),
    "int8 activations": Break(Rule.UNSAFE_PRODUCT, signed_activations, "left side is int8"),
    "int8 cache": Break(Rule.UNSAFE_PRODUCT, signed_cache, "not constant is int8"),
    "cache around 127": Break(Rule.UNSAFE_PRODUCT, cache_around_127, "128 and 127"),
    "zero points by row": Break(Rule.UNSAFE_PRODUCT, zero_point_by_row, "left side is not one constant"),
    "scores without maximum": Break(Rule.NARROWING_CAST, scores_without_their_maximum, "do not fit int32"),
    "bytes of products": Break(Rule.NARROWING_CAST, bytes_of_products, "do not fit uint8"),
    "overflow": Break(Rule.NOT_FINITE, overflow, "exceed float32"),
    "infinite scale": Break(Rule.NOT_FINITE, infinite_scale, "not finite"),
    "root of a difference": Break(Rule.NOT_FINITE, root_of_a_difference, "may be negative"),
    "quantised twice": Break(Rule.FUSED_PATTERN, quantised_twice, "quantises again"),
    "quantised product": Break(Rule.FUSED_PATTERN, quantised_product, "stands between"),
    "added zero": Break(Rule.FUSED_PATTERN, added_zero, "addition of 0"),
}
