"""Float16 to float32, everywhere. Owns that direction: every float16 value has its float32, so nothing is chosen.

A native runtime and a WASM one then differ by float32 rounding alone, with the same 4-bit weights.
"""

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_TYPES = ("to", "dtype", "output_dtype")
_TYPED_OPS = ("Cast", "ConstantOfShape", "RandomNormal", "RandomUniform", "EyeLike", "Bernoulli")


def to_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with float32 in the place of every float16: inputs, outputs, cache, scales, constants and casts.

    `model` stays as it is. Works on any graph whose weights are in it; packed weights keep their bytes.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    _widen_graph(wide.graph)
    for function in wide.functions:
        _widen_nodes(list(function.node))
    return wide


def _widen_graph(graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT16:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
    _widen_nodes(list(graph.node))


def _widen_nodes(nodes: list[onnx.NodeProto]) -> None:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i == TensorProto.FLOAT16 and node.op_type in _TYPED_OPS:
                attribute.i = TensorProto.FLOAT
            if attribute.HasField("t"):
                _widen_tensor(attribute.t)
            if attribute.HasField("g"):
                _widen_graph(attribute.g)
            for graph in attribute.graphs:
                _widen_graph(graph)


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type != TensorProto.FLOAT16:
        return
    array = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
