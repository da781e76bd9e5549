"""Edits that bring in ops, types, files and patterns. Each gives the name of the node that breaks a rule then."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from .finders import the_float_sum, the_high_byte, the_product, the_root, the_whole_sum
from .graphs import Edited


def exp_for_root(graph: Edited) -> str:
    node = the_root(graph)
    node.op_type = "Exp"
    return str(node.name)


def other_domain(graph: Edited) -> str:
    node = graph.insert(the_root(graph), 0, "QuickGelu", domain="com.microsoft")
    return str(node.name)


def softmax(graph: Edited) -> str:
    """In the place of the attention's own exponential, whose argument it takes."""
    cast = graph.maker(the_whole_sum(graph).input[0])
    weights, argument = cast.input[0], graph.maker(graph.find("Clip").input[0]).input[0]
    node = graph.insert(cast, 0, "Softmax", axis=-1)
    node.input[0] = argument
    scaled = graph.insert(cast, 0, "Mul", graph.new_constant(2.0**15))
    for user in graph.users(weights):
        user.input[list(user.input).index(weights)] = scaled.output[0]
    return str(node.name)


def float_matmul(graph: Edited) -> str:
    """The mean of values, with what the bytes of their weights were rounded from."""
    node = graph.find("MatMulInteger", lambda each: each.input[1].endswith(".value"))
    both = graph.maker(node.input[0])
    for at, part in enumerate(both.input):
        both.input[at] = graph.maker(part).input[0]
    node.op_type = "MatMul"
    graph.insert(node, 1, "Cast", to=TensorProto.FLOAT)
    del node.input[2:]
    return str(node.name)


def half_precision(graph: Edited) -> str:
    node = the_root(graph)
    cast = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT16)
    graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    return str(cast.name)


def half_constant(graph: Edited) -> str:
    node = graph.insert(the_root(graph), 0, "Mul")
    node.op_type = "Cast"
    node.attribute.append(helper.make_attribute("to", TensorProto.FLOAT16))
    product = graph.insert(the_root(graph), 0, "Mul", graph.new_constant(2.0, np.float16))
    node.attribute[0].i = TensorProto.FLOAT
    return str(product.name)


def double_precision(graph: Edited) -> str:
    node = the_root(graph)
    cast = graph.insert(node, 0, "Cast", to=TensorProto.DOUBLE)
    graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    return str(cast.name)


def branches(graph: Edited) -> str:
    node = the_root(graph)
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
    node = the_product(graph)
    tensor = next(each for each in graph.graph.initializer if each.name == node.input[1])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return str(node.name)


def forgetful_cache(graph: Edited) -> str:
    """The first token of all is left out of what is kept."""
    name = "present.0.value"
    append = next(node for node in graph.graph.node if name in node.output)
    append.output[0] = "/broken/whole"
    for user in graph.users(name):
        user.input[list(user.input).index(name)] = append.output[0]
    numbers = [graph.new_constant([each], np.int64) for each in (1, 2**31 - 1, 2)]
    graph.graph.node.append(helper.make_node("Slice", ["/broken/whole", *numbers], [name], name="/broken/kept"))
    return "/broken/kept"


def quantised_twice(graph: Edited) -> str:
    """What becomes a high byte is rounded twice before, to different multiples."""
    byte = the_high_byte(graph)
    names = []
    for scale, zero in ((64.0, 128), (1024.0, 100)):
        parameters = graph.new_constant(scale), graph.new_constant(zero, np.uint8)
        names.append(graph.insert(byte, 0, "QuantizeLinear", *parameters).name)
        graph.insert(byte, 0, "DequantizeLinear", *parameters)
    return str(names[1])


def quantised_product(graph: Edited) -> str:
    """The squares of high parts, as bytes: one quantised product to an optimiser."""
    total = the_float_sum(graph)
    parameters = graph.new_constant(2.0**20), graph.new_constant(0, np.uint8)
    node = graph.insert(total, 0, "QuantizeLinear", *parameters)
    graph.insert(total, 0, "DequantizeLinear", *parameters)
    return str(node.name)


def added_zero(graph: Edited) -> str:
    return str(graph.insert(the_root(graph), 0, "Add", graph.new_constant(0.0)).name)


def float_range(graph: Edited) -> str:
    """Positions that are counted in float32."""
    node = graph.find("Range")
    for index in range(3):
        graph.insert(node, index, "Cast", to=TensorProto.FLOAT)
    users = graph.users(node.output[0])
    graph.insert(users[0], list(users[0].input).index(node.output[0]), "Cast", to=TensorProto.INT64)
    return str(node.name)


def unknown_axes(graph: Edited) -> str:
    node = the_float_sum(graph)
    axes = graph.insert(node, 1, "Gather", "input_ids")
    axes.input[0] = graph.new_constant([-1], np.int64)
    return str(node.name)


def wrong_length(graph: Edited) -> str:
    node = the_root(graph)
    graph.declare(node.output[0]).shape.dim[-1].dim_value = 2
    return str(node.name)


def wrong_name_of_a_length(graph: Edited) -> str:
    """As long as the past, it is said, and is as long as the input."""
    node = the_root(graph)
    graph.declare(node.output[0]).shape.dim[1].dim_param = "past_sequence_length"
    return str(node.name)


def wrong_rank(graph: Edited) -> str:
    node = the_root(graph)
    del graph.declare(node.output[0]).shape.dim[1:]
    return str(node.name)


def wrong_type(graph: Edited) -> str:
    node = the_root(graph)
    graph.declare(node.output[0]).elem_type = TensorProto.INT64
    return str(node.name)
