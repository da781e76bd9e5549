"""An ONNX file as nodes, constants and declarations. Owns the reading, of files that may be hostile; judges no node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto, numpy_helper

from llmzip.errors import ModelError

from .values import KINDS, Array

_HINT = "get the file again, or export the model anew"


@dataclass(frozen=True)
class Declared:
    """What a file says of a tensor: element type, and for each dimension a number, a name or None; no dimensions where it has none."""

    kind: int
    dimensions: tuple[int | str | None, ...] | None

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """A number or None for each dimension."""
        if self.dimensions is None:
            return None
        return tuple(each if isinstance(each, int) else None for each in self.dimensions)


@dataclass(frozen=True)
class Constant:
    """A constant tensor; `array` is None where its content is elsewhere or of a type that is not read."""

    kind: int
    array: Array | None
    external: bool = False


@dataclass(frozen=True)
class Node:
    """A node; `name` is the file's, or its first output where it has none. `inputs` that are left out are empty."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    constants: dict[str, Constant]
    has_subgraph: bool

    def input(self, index: int) -> str:
        """The name of an input, empty where it is left out."""
        return self.inputs[index] if index < len(self.inputs) else ""

    @property
    def label(self) -> str:
        """The op with its domain."""
        return f"{self.domain}::{self.op}" if self.domain else self.op


@dataclass
class Graph:
    """A graph whose nodes are in an order in which they can be run; `between` is what it says of tensors inside of it."""

    nodes: list[Node]
    constants: dict[str, Constant]
    inputs: dict[str, Declared]
    outputs: dict[str, Declared]
    between: dict[str, Declared]
    opset: int
    has_functions: bool
    has_sparse: bool
    makers: dict[str, Node] = field(default_factory=dict)

    def maker(self, name: str) -> Node | None:
        """The node that a tensor comes from."""
        return self.makers.get(name)


def read_graph(content: bytes) -> Graph:
    """Read an ONNX file. Raises `ModelError` when it is none, or its nodes cannot be run in their order."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(f"the file is not an ONNX model: {error}", _HINT) from error
    proto = model.graph
    if not proto.output:
        # An empty file, too, is a message of protobuf: one without any field.
        raise ModelError("the file is not an ONNX model: it has no graph with outputs", _HINT)
    for each in (proto.initializer, proto.input, proto.value_info, *(node.attribute for node in proto.node)):
        _check_distinct([item.name for item in each])
    inputs = {each.name: _declared(each) for each in proto.input}
    try:
        # An initializer that is an input as well can be replaced by whoever runs the graph: it is no constant.
        constants = {each.name: _constant(each) for each in proto.initializer if each.name not in inputs}
        nodes = [_node(each, index) for index, each in enumerate(proto.node)]
    except (ValueError, TypeError) as error:
        raise ModelError(f"the graph has a tensor that cannot be read: {error}", _HINT) from error
    opset = max((int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx")), default=0)
    outputs = {each.name: _declared(each) for each in proto.output}
    between = {each.name: _declared(each) for each in proto.value_info}
    has_functions, has_sparse = bool(model.functions), bool(proto.sparse_initializer)
    graph = Graph(nodes, constants, inputs, outputs, between, opset, has_functions, has_sparse)
    _link(graph)
    return graph


def _check_distinct(names: list[str]) -> None:
    """Of two things of one name, engines may take either."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelError(f"the graph has two tensors or attributes of the name {twice}", _HINT)


def _link(graph: Graph) -> None:
    known = {*graph.inputs, *graph.constants}
    for node in graph.nodes:
        for name in filter(None, node.inputs):
            if name not in known:
                raise ModelError(f"node {node.name} takes {name}, which nothing before it makes", _HINT)
        for name in filter(None, node.outputs):
            if name in known:
                raise ModelError(f"node {node.name} makes {name}, which is there already", _HINT)
            known.add(name)
            graph.makers[name] = node
    missing = next((name for name in graph.outputs if name not in known), None)
    if missing is not None:
        raise ModelError(f"nothing makes the output {missing}", _HINT)


def _declared(value: Any) -> Declared:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return Declared(tensor.elem_type, None)
    return Declared(
        tensor.elem_type,
        tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or None for dim in tensor.shape.dim),
    )


def _constant(tensor: Any) -> Constant:
    if tensor.data_location == TensorProto.EXTERNAL:
        return Constant(tensor.data_type, None, external=True)
    return Constant(tensor.data_type, numpy_helper.to_array(tensor) if tensor.data_type in KINDS else None)


def _node(proto: Any, index: int) -> Node:
    attributes: dict[str, Any] = {}
    constants: dict[str, Constant] = {}
    has_subgraph = False
    for each in proto.attribute:
        if each.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            has_subgraph = True
        elif each.type == AttributeProto.TENSOR:
            constants[each.name] = _constant(each.t)
        elif each.type in (AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING):
            attributes[each.name] = onnx.helper.get_attribute_value(each)
        elif each.type in (AttributeProto.FLOATS, AttributeProto.INTS):
            attributes[each.name] = list(onnx.helper.get_attribute_value(each))
        else:
            attributes[each.name] = None
    outputs = tuple(proto.output)
    return Node(
        proto.name or next(iter(filter(None, outputs)), f"#{index}"),
        proto.op_type,
        "" if proto.domain == "ai.onnx" else proto.domain,
        tuple(proto.input),
        outputs,
        attributes,
        constants,
        has_subgraph,
    )


def sources(graph: Graph, name: str) -> Iterator[str]:
    """The tensors that a tensor is put together from, through nodes that only move elements."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        maker = graph.maker(current)
        if maker is None or maker.op not in MOVES:
            yield current
        elif maker.op == "Concat":
            waiting.extend(maker.inputs)
        elif maker.op == "Where":
            waiting.extend(maker.inputs[1:])
        else:
            waiting.extend(maker.inputs[:1])


MOVES = frozenset(
    "Concat Expand Gather Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze Where".split()  # noqa: SIM905
)
"""Ops that move elements and change none."""
