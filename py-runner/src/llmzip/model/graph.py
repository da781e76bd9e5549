"""The view of a graph that `inspect` gives: its inputs and outputs, its opset, its operations. Owns the view, runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmzip.errors import ModelError
from llmzip.model.exactness import METADATA_KEY, Exactness, read_exactness

# ONNX Runtime's names of element types where they are not the common ones.
ELEMENT_TYPES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class TensorInfo:
    """An input or output as the graph declares it; `shape` has numbers, and symbols (empty where one has no name)."""

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class BatchPolicy:
    """Whether more than one lane may be fed at once (`dynamic` or `static`), and why."""

    batch: str
    reason: str


@dataclass(frozen=True)
class GraphView:
    """What `inspect` answers; field by field the result of PROTOCOL.md."""

    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    opset: dict[str, int]
    ops: dict[str, int]
    batch_policy: BatchPolicy
    exactness: Exactness
    provider: str


def tensor_info(argument: Any) -> TensorInfo:
    """An input or output of an ONNX Runtime session."""
    element = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else size or "" for size in argument.shape)
    return TensorInfo(argument.name, ELEMENT_TYPES.get(element, element), shape)


def opset_and_ops(content: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """Opset versions by domain, and counts of the nodes' ops, those in subgraphs included."""
    import onnx  # noqa: PLC0415 - needed for this alone

    model = onnx.load_model_from_string(content)
    opset = {_domain(entry.domain): int(entry.version) for entry in model.opset_import}
    counts = Counter(_op(node) for node in _nodes(model.graph))
    return dict(sorted(opset.items())), dict(sorted(counts.items()))


def graph_exactness(content: bytes) -> Exactness:
    """Whether a graph is taken as exact. Raises `ModelError` for what is no ONNX file."""
    # What says that it is exact has this key: a large model without it need not be parsed.
    if METADATA_KEY.encode() not in content:
        return read_exactness({}, ())
    import onnx  # noqa: PLC0415
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(
            f"the model file is not an ONNX model that can be used: {error}",
            "take an .onnx file of a decoder with a cache; a file that was cut off in transfer looks like this too",
        ) from error
    metadata = {entry.key: _text(entry.value) for entry in model.metadata_props}
    return read_exactness(metadata, map(_op, _nodes(model.graph)))


def _text(value: str | bytes) -> str:
    """A field of text: the library gives bytes where it is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _op(node: Any) -> str:
    domain = _domain(node.domain)
    return f"{domain}::{node.op_type}" if domain else str(node.op_type)


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _nodes(subgraph)
