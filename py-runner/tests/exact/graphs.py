"""A small real exact graph, and ways to break it. Owns the edits; knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from llmzip.model.model_files import one_file
from llmzip.model.session import Session, SessionOptions
from llmzip.quantize.exact import export_exact
from quantize import llama

SIZES = llama.Sizes()
IDS = [(at * at * 7 + 5) % SIZES.vocab for at in range(SIZES.positions)]
"""As many as there are positions."""


def build(folder: Path, sizes: llama.Sizes = SIZES) -> bytes:
    """The exact graph of a random checkpoint."""
    llama.write_checkpoint(folder, sizes)
    return export_exact(folder).content


def logits(
    content: bytes, ids: Sequence[int] = IDS, *, level: str = "all", threads: int = 1, chunk: int = len(IDS)
) -> npt.NDArray[np.int32]:
    """The bits of the logits of `ids`, fed in chunks, [sequence, vocab]."""
    settings = SessionOptions(threads=threads, graph_optimization=level)
    session = Session(one_file(content), llama.config(SIZES), settings)
    session.reset(1)
    rows = [session.feed(np.array([ids[at : at + chunk]])) for at in range(0, len(ids), chunk)]
    found = np.concatenate([row[0] for row in rows]).astype(np.float32)
    assert np.isfinite(found).all()
    assert found.std() > 0
    bits: npt.NDArray[np.int32] = found.view(np.int32)
    return bits


class Edited:
    """A graph that is being changed. What it says of tensors inside of it is left out, but for what `declare` puts back."""

    def __init__(self, content: bytes) -> None:
        self.model = onnx.load_model_from_string(content)
        self.graph = self.model.graph
        self._declared = {each.name: each for each in self.graph.value_info}
        del self.graph.value_info[:]

    def declare(self, name: str) -> Any:
        """Put back what the graph says of a tensor; its type, to be changed."""
        self.graph.value_info.append(self._declared[name])
        return self.graph.value_info[-1].type.tensor_type

    @property
    def content(self) -> bytes:
        """The file."""
        content: bytes = self.model.SerializeToString()
        return content

    def nodes(self, op: str) -> Iterator[Any]:
        """The nodes of an op."""
        return (node for node in self.graph.node if node.op_type == op)

    def find(self, op: str, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first node of an op for which `where` holds."""
        return next(node for node in self.nodes(op) if where(node))

    def maker(self, name: str) -> Any:
        """The node that a tensor comes from; one without an op for inputs and constants."""
        made = (node for node in self.graph.node if name in node.output)
        return next(made, onnx.NodeProto())

    def users(self, name: str) -> list[Any]:
        """The nodes that take a tensor."""
        return [node for node in self.graph.node if name in node.input]

    def made_by(self, node: Any, op: str, index: int = 0) -> bool:
        """Whether an input of a node comes from an op."""
        return index < len(node.input) and bool(self.maker(node.input[index]).op_type == op)

    def constant(self, name: str) -> npt.NDArray[Any] | None:
        """The content of a constant."""
        found = (each for each in self.graph.initializer if each.name == name)
        tensor = next(found, None)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def new_constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """Add a constant; its name."""
        name = f"new.{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def replace_constant(self, name: str, value: npt.NDArray[Any]) -> None:
        """Give a constant another content."""
        tensor = next(each for each in self.graph.initializer if each.name == name)
        tensor.CopyFrom(numpy_helper.from_array(value, name))

    def insert(self, before: Any, index: int, op: str, *others: str, domain: str = "", **attributes: Any) -> Any:
        """Put a new node between a node and one of its inputs; the new node, whose first input is that input."""
        name = f"/broken/{op}_{len(self.graph.node)}"
        node = helper.make_node(
            op, [before.input[index], *others], [f"{name}/output"], name=name, domain=domain, **attributes
        )
        before.input[index] = node.output[0]
        at = [each.name for each in self.graph.node].index(before.name)
        self.graph.node.insert(at, node)
        return self.graph.node[at]
