"""Edits that make numbers unsafe: sums, products, divisions, scales, casts. Each gives the name of the node that breaks a rule then."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from .finders import (
    the_cache_product,
    the_float_sum,
    the_high_byte,
    the_peak_division,
    the_product,
    the_root,
    the_shift,
    the_total_division,
    the_whole_sum,
)
from .graphs import Edited


def sum_of_floats(graph: Edited) -> str:
    """The squares of the numbers themselves, not of their bytes."""
    node = the_float_sum(graph)
    square = graph.maker(node.input[0])
    scaled = graph.maker(graph.maker(square.input[0]).input[0]).input[0]
    square.input[0] = square.input[1] = scaled
    return str(node.name)


def sum_of_weights(graph: Edited) -> str:
    """The attention's weights as they are, not as integers."""
    node = the_whole_sum(graph)
    node.input[0] = graph.maker(node.input[0]).input[0]
    return str(node.name)


def sum_of_large_integers(graph: Edited) -> str:
    """The squares of 15-bit integers: each is exact, partial sums are not."""
    sum_of_floats(graph)
    node = the_float_sum(graph)
    square = graph.maker(node.input[0])
    graph.insert(square, 0, "Mul", graph.new_constant(128.0))
    rounded = graph.insert(square, 0, "Round")
    square.input[1] = rounded.output[0]
    return str(node.name)


def sum_too_large(graph: Edited) -> str:
    cast = graph.maker(the_whole_sum(graph).input[0])
    graph.insert(cast, 0, "Mul", graph.new_constant(2.0**15))
    return str(the_whole_sum(graph).name)


def shift_too_far(graph: Edited) -> str:
    node = the_shift(graph)
    node.input[1] = graph.new_constant(1 << 20, np.int32)
    return str(node.name)


def context_too_long(graph: Edited) -> str:
    """Sums over the context of more products than fit int32."""
    lengthen(graph, 40_000)
    return the_sum_over_the_context(graph)


def lengthen(graph: Edited, positions: int) -> None:
    """Tables of so many rows: those that are there, again and again."""
    for name in ("cos_table", "sin_table"):
        table = graph.constant(name)
        assert table is not None
        graph.replace_constant(name, np.resize(table, (positions, *table.shape[1:])))


def the_sum_over_the_context(graph: Edited) -> str:
    return str(graph.find("MatMulInteger", lambda node: node.input[1].endswith(".value")).name)


def no_positions(graph: Edited) -> str:
    """The tables are looked up by the ids."""
    for node in graph.nodes("Gather"):
        for index, name in enumerate(node.input):
            if name == "position_ids":
                node.input[index] = "input_ids"
    return the_sum_over_the_context(graph)


def one_over(graph: Edited) -> str:
    node = the_total_division(graph)
    node.input[0] = graph.new_constant(1.0)
    return str(node.name)


def three_over(graph: Edited) -> str:
    node = the_total_division(graph)
    node.input[0] = graph.new_constant(3.0)
    return str(node.name)


def plain_division(graph: Edited) -> str:
    division = the_peak_division(graph)
    node = graph.find("Mul", lambda each: division.output[0] in each.input)
    node.op_type = "Div"
    node.input[1] = division.input[1]
    return str(node.name)


def division_by_a_row_of_zeros(graph: Edited) -> str:
    node = the_peak_division(graph)
    node.input[1] = next(name for name in graph.maker(node.input[1]).input if graph.maker(name).op_type == "ReduceMax")
    return str(node.name)


def scale_of_100(graph: Edited) -> str:
    node = the_high_byte(graph)
    node.input[1] = graph.new_constant(100.0)
    return str(node.name)


def scale_by_channel(graph: Edited) -> str:
    node = the_high_byte(graph)
    node.input[1] = graph.new_constant([128.0] * 64)
    node.input[2] = graph.new_constant([128] * 64, np.uint8)
    return str(node.name)


def dequantised_by_100(graph: Edited) -> str:
    node = graph.find("DequantizeLinear")
    node.input[1] = graph.new_constant(100.0)
    return str(node.name)


def weights_of_127(graph: Edited) -> str:
    node = the_product(graph)
    weights = graph.constant(node.input[1])
    assert weights is not None
    weights = weights.copy()
    weights[4:6, 3] = 127, -127
    graph.replace_constant(node.input[1], weights)
    return str(node.name)


def signed_activations(graph: Edited) -> str:
    node = the_product(graph)
    quantised = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    parts = graph.insert(node, 0, "Sub", graph.new_constant(128.0))
    graph.insert(node, 0, "Cast", to=TensorProto.INT8)
    assert parts.input[0] == quantised.output[0]
    del node.input[2:]
    return str(node.name)


def cache_around_127(graph: Edited) -> str:
    node = the_cache_product(graph)
    node.input[3] = graph.new_constant(127, np.uint8)
    return str(node.name)


def zero_point_by_row(graph: Edited) -> str:
    node = the_cache_product(graph)
    node.input[2] = graph.new_constant([128, 127], np.uint8)
    return str(node.name)


def signed_cache(graph: Edited) -> str:
    node = the_cache_product(graph)
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
    return str(graph.maker(the_whole_sum(graph).input[0]).name)


def bytes_of_products(graph: Edited) -> str:
    shift = the_shift(graph)
    node = graph.insert(shift, 0, "Cast", to=TensorProto.UINT8)
    graph.insert(shift, 0, "Cast", to=TensorProto.INT32)
    return str(node.name)


def overflow(graph: Edited) -> str:
    """A dequantised byte times 2^122."""
    square = graph.maker(the_float_sum(graph).input[0])
    node = graph.insert(square, 0, "Mul", graph.new_constant(2.0**122))
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
    node = the_root(graph)
    graph.maker(node.input[0]).op_type = "Sub"
    return str(node.name)
