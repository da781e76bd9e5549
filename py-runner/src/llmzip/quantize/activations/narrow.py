"""Float32 to float16, where that is safe. Owns the choice of what stays float32.

Squares, sums of many, exponentials and angles stay float32, and so does what is computed of them alone: the squares of a norm leave the
range of float16 long before the norm does. Between the two kinds stand casts.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.graph import without_content

from .types import output_types

_WIDE_OPS = frozenset(
    (
        *("Cos", "CumSum", "Erf", "Exp", "Log", "Pow", "Range", "Reciprocal", "Sin", "Softmax", "Sqrt", "Tanh"),
        *("ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare"),
    )
)
# What a mask adds to hide a position is written as the least float32 or -inf. This hides as well, and the sum with a score stays finite.
_HIDING = 1e30
_HIDDEN = 32768.0
_LOGITS = "logits"
_WIDE_COPY, _NARROW_COPY = "/float32", "/float16"
_NARROW, _WIDE = int(TensorProto.FLOAT16), int(TensorProto.FLOAT)


def to_float16(model: onnx.ModelProto, precise: Mapping[str, npt.NDArray[np.float64]] | None = None) -> onnx.ModelProto:
    """Return the graph with float16 activations, cache, scales and weights; `logits` stay float32.

    `model` stays as it is; `precise` holds initializers that are known as float64. Raises QuantizeError for a weight that float16 cannot
    hold, and for a graph with subgraphs.
    """
    return _Narrowing(model, precise or {}).run()


class _Narrowing:
    def __init__(self, model: onnx.ModelProto, precise: Mapping[str, npt.NDArray[np.float64]]) -> None:
        self._model = model
        self._precise = precise
        self._constants = {each.name: each for each in model.graph.initializer if each.data_type == _WIDE}
        self._types = {each.name: int(each.data_type) for each in model.graph.initializer}
        self._nodes: list[onnx.NodeProto] = []
        self._casts: dict[str, str] = {}
        self._read_wide: set[str] = set()
        self._lifted: list[onnx.TensorProto] = []

    def run(self) -> onnx.ModelProto:
        source = self._model.graph
        for value in source.input:
            kind = value.type.tensor_type.elem_type
            self._types[value.name] = _NARROW if kind == _WIDE else kind
        for node in source.node:
            self._node(node)
        for value in source.output:
            self._output(value.name, _WIDE if value.name == _LOGITS else _NARROW)
        return self._assembled()

    def _node(self, old: onnx.NodeProto) -> None:
        if any(each.HasField("g") or each.graphs for each in old.attribute):
            raise QuantizeError(
                f"{old.name or old.output[0]} ({old.op_type}) holds graphs of its own, which float16 activations are not built for",
                "take the flavour q4",
            )
        if old.op_type == "Constant" and output_types(old, {}) == [_WIDE]:
            constant = _constant(old)
            self._lifted.append(constant)
            self._constants[constant.name] = constant
            self._types[constant.name] = _WIDE
            return
        node = onnx.NodeProto()
        node.CopyFrom(old)
        wide = self._stays_wide(old)
        if node.op_type != "Cast":
            node.input[:] = [self._read(name, wide=wide) for name in old.input]
        elif old.input[0] in self._constants:
            node.input[0] = self._read(old.input[0], wide=True)
        if node.op_type == "ConstantOfShape":
            for each in node.attribute:
                each.t.CopyFrom(_narrow(each.t, each.t.name))
            if not node.attribute:
                node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(np.zeros(1, np.float16))))
        self._nodes.append(node)
        kinds = output_types(old, self._types)
        for name, kind in zip(old.output, kinds, strict=True):
            floats = kind in (_WIDE, _NARROW) and node.op_type != "Cast"
            self._types[name] = (_WIDE if wide else _NARROW) if floats else kind

    def _stays_wide(self, node: onnx.NodeProto) -> bool:
        if node.domain not in ("", "ai.onnx"):
            return False
        if node.op_type in _WIDE_OPS:
            return True
        kinds = [self._types.get(name, 0) for name in node.input if name not in self._constants]
        floats = [kind for kind in kinds if kind in (_WIDE, _NARROW)]
        return bool(floats) and all(kind == _WIDE for kind in floats)

    def _read(self, name: str, *, wide: bool) -> str:
        """The tensor that a node of either kind reads for `name`, after a cast where it is of the other kind."""
        kind, wanted = self._types.get(name, 0), _WIDE if wide else _NARROW
        if name in self._constants:
            if wide:
                self._read_wide.add(name)
            return name + _WIDE_COPY if wide else name
        if kind not in (_WIDE, _NARROW) or kind == wanted:
            return name
        if name not in self._casts:
            self._casts[name] = self._cast(name, name + (_WIDE_COPY if wide else _NARROW_COPY), wanted)
        return self._casts[name]

    def _cast(self, source: str, target: str, kind: int) -> str:
        self._nodes.append(helper.make_node("Cast", [source], [target], name=f"{target}/Cast", to=kind))
        return target

    def _output(self, name: str, wanted: int) -> None:
        kind = self._types.get(name, 0)
        if kind not in (_WIDE, _NARROW) or kind == wanted:
            return
        plain = f"{name}/uncast"
        for node in self._nodes:
            node.input[:] = [plain if each == name else each for each in node.input]
            node.output[:] = [plain if each == name else each for each in node.output]
        self._cast(plain, name, wanted)

    def _assembled(self) -> onnx.ModelProto:
        model = without_content(self._model)
        graph = model.graph
        graph.node.extend(self._nodes)
        read = {name for node in self._nodes for name in node.input}
        for tensor in (*self._model.graph.initializer, *self._lifted):
            if tensor.data_type != _WIDE:
                graph.initializer.append(tensor)
                continue
            if tensor.name in read:
                graph.initializer.append(_narrow(tensor, tensor.name, self._precise.get(tensor.name)))
            if tensor.name in self._read_wide:
                graph.initializer.append(_finite(tensor, tensor.name + _WIDE_COPY))
        for value in graph.input:
            _set_type(value, _NARROW)
        for value in graph.output:
            if value.name != _LOGITS:
                _set_type(value, _NARROW)
        return model


def _constant(node: onnx.NodeProto) -> onnx.TensorProto:
    """A Constant node's value as an initializer of the output's name."""
    value = next(each for each in node.attribute if each.name.startswith("value"))
    array = numpy_helper.to_array(value.t) if value.HasField("t") else helper.get_attribute_value(value)
    return numpy_helper.from_array(np.asarray(array, np.float32), node.output[0])


def _finite(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    """A float32 constant as float32; what hides a position hides it with a number that float16 has."""
    return numpy_helper.from_array(_hiding(numpy_helper.to_array(tensor)), name)


def _narrow(tensor: onnx.TensorProto, name: str, precise: npt.NDArray[np.float64] | None = None) -> onnx.TensorProto:
    """A float32 constant as float16. Raises QuantizeError when it has values that float16 cannot hold."""
    if tensor.data_type != _WIDE:
        return tensor
    with np.errstate(over="ignore"):
        stored = (_hiding(numpy_helper.to_array(tensor)) if precise is None else precise).astype(np.float16)
    if not np.isfinite(stored).all():
        raise QuantizeError(
            f"{name} has values that float16 cannot hold", "take a flavour with float32 activations, such as q4"
        )
    return numpy_helper.from_array(stored, name)


def _hiding(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.where(np.abs(array) >= _HIDING, np.sign(array) * np.float32(_HIDDEN), array).astype(np.float32)


def _set_type(value: onnx.ValueInfoProto, kind: int) -> None:
    if value.type.tensor_type.elem_type in (_WIDE, _NARROW):
        value.type.tensor_type.elem_type = kind
