"""Which weights of a graph can be quantised. Owns the reading of a float graph; changes nothing.

A weight may reach its node as it is, through Identity, or turned by a Transpose: exporters differ there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, helper

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
_IDS = "input_ids"
_RESHAPING = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


@dataclass(frozen=True)
class Matrix:
    """A rank-2 float initializer as a node sees it: as it lies in the file, or `turned`."""

    name: str
    turned: bool


@dataclass(frozen=True)
class Product:
    """A MatMul or Gemm at `position` among the nodes; `rows_first` where the initializer is [out, in]."""

    position: int
    weight: str
    rows_first: bool


@dataclass(frozen=True)
class Lookup:
    """The Gather of the token embedding at `position` among the nodes; the initializer is [vocab, hidden]."""

    position: int
    weight: str


class GraphIndex:
    """A graph's tensors by name, what makes them and what reads them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.outputs = {output.name for output in graph.output}
        self._makers = {name: node for node in self.nodes for name in node.output if name}

    def matrix(self, name: str) -> Matrix | None:
        """The initializer behind the tensor `name`, or None when it is no constant float matrix."""
        turned = False
        while (node := self._makers.get(name)) is not None:
            if node.op_type == "Transpose" and list(attribute(node, "perm", [1, 0])) == [1, 0]:
                turned = not turned
            elif node.op_type != "Identity":
                return None
            name = node.input[0]
        tensor = self.initializers.get(name)
        if tensor is None or len(tensor.dims) != 2 or tensor.data_type not in _FLOATS:
            return None
        return Matrix(name, turned)

    def products(self) -> Iterator[Product]:
        """Every product of something with a constant matrix, in the order of the nodes."""
        for position, node in enumerate(self.nodes):
            matrix = self.matrix(node.input[1]) if _is_product(node) else None
            if matrix is not None:
                yield Product(position, matrix.name, matrix.turned != bool(attribute(node, "transB", 0)))

    def embedding(self) -> Lookup | None:
        """The look-up of the ids that the graph is given, or None. A look-up of positions is none of them."""
        for position, node in enumerate(self.nodes):
            if node.op_type != "Gather" or attribute(node, "axis", 0) != 0 or not self._is_ids(node.input[1]):
                continue
            matrix = self.matrix(node.input[0])
            if matrix is not None and not matrix.turned:
                return Lookup(position, matrix.name)
        return None

    def _is_ids(self, name: str) -> bool:
        while (node := self._makers.get(name)) is not None and node.op_type in _RESHAPING:
            name = node.input[0]
        return name == _IDS


def _is_product(node: onnx.NodeProto) -> bool:
    if node.op_type == "Gemm":
        factors = (attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0))
        return factors == (1.0, 1.0) and not attribute(node, "transA", 0)
    return node.op_type == "MatMul" and node.domain in ("", "ai.onnx")


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or `default` when it has none of that name."""
    for each in node.attribute:
        if each.name == name:
            return helper.get_attribute_value(each)
    return default


def names_read(nodes: list[onnx.NodeProto]) -> set[str]:
    """Every tensor that these nodes read, those of their subgraphs included."""
    found: set[str] = set()
    for node in nodes:
        found.update(name for name in node.input if name)
        for each in node.attribute:
            for graph in ([each.g] if each.HasField("g") else []) + list(each.graphs):
                found |= names_read(list(graph.node)) | {output.name for output in graph.output}
    return found
