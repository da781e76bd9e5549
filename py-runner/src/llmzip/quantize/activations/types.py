"""Which tensors of a graph are floats. Owns the rules by which an output's type follows from its node; onnx knows none of com.microsoft."""

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

_BOOLEAN = ("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor")
_INTEGER = ("ArgMax", "ArgMin", "NonZero", "Shape", "Size")
_OF_SECOND = ("DequantizeLinear", "Where")
_OF_THIRD = ("GatherBlockQuantized", "QuantizeLinear")
# Op to the positions of outputs that are int64 whatever the first output is.
_MIXED = {"TopK": (1,), "Unique": (1, 2, 3)}


def output_types(node: onnx.NodeProto, types: dict[str, int]) -> list[int]:
    """The element types of a node's outputs, in order, by those of its inputs; 0 where it cannot be told."""
    count = len(node.output)
    if node.op_type in _BOOLEAN:
        return [TensorProto.BOOL] * count
    if node.op_type == "MatMulInteger":
        return [TensorProto.INT32] * count
    if node.op_type in _INTEGER:
        return [TensorProto.INT64] * count
    if node.op_type == "Cast":
        return [int(_value(node, "to"))] * count
    if node.op_type in ("Constant", "ConstantOfShape"):
        return [_constant_type(node)] * count
    position = 1 if node.op_type in _OF_SECOND else 2 if node.op_type in _OF_THIRD else 0
    kind = types.get(node.input[position], 0) if position < len(node.input) else 0
    integers = _MIXED.get(node.op_type, ())
    return [TensorProto.INT64 if at in integers else kind for at in range(count)]


def _constant_type(node: onnx.NodeProto) -> int:
    for each in node.attribute:
        if each.name == "value" and each.HasField("t"):
            return int(each.t.data_type)
        if each.name in ("value_float", "value_floats"):
            return int(TensorProto.FLOAT)
        if each.name in ("value_int", "value_ints"):
            return int(TensorProto.INT64)
    return int(TensorProto.FLOAT) if node.op_type == "ConstantOfShape" else 0


def _value(node: onnx.NodeProto, name: str) -> int:
    found: Sequence[int] = [helper.get_attribute_value(each) for each in node.attribute if each.name == name]
    return found[0] if found else 0
