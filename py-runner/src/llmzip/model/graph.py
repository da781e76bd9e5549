"""What a graph declares: inputs, outputs, opset, ops and whether it allows a batch. Owns the view, runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

PAST = "past_key_values."
PRESENT = "present."
LOGITS = "logits"
# ONNX Runtime's names of element types where they are not the common ones.
ELEMENT_TYPES = {"float": "float32", "double": "float64"}


@dataclass(frozen=True)
class Port:
    """An input or output; `shape` has numbers, and names for symbolic dimensions."""

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class BatchPolicy:
    """Whether more than one lane may be fed at once, and why."""

    batch: str
    reason: str

    @property
    def is_dynamic(self) -> bool:
        """Whether it may."""
        return self.batch == "dynamic"


def port(argument: Any) -> Port:
    """An input or output of an ONNX Runtime session."""
    element = argument.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(size if isinstance(size, int) else size or "" for size in argument.shape)
    return Port(argument.name, ELEMENT_TYPES.get(element, element), shape)


def batch_policy(inputs: Sequence[Port], outputs: Sequence[Port]) -> BatchPolicy:
    """Dynamic if the first dimension of every input, of the logits and of every present output is symbolic."""
    used = [*inputs, *(output for output in outputs if output.name == LOGITS or output.name.startswith(PRESENT))]
    for each in used:
        if not each.shape or isinstance(each.shape[0], int):
            size = f"fixed at {each.shape[0]}" if each.shape else "missing"
            return BatchPolicy("static", f"the batch dimension of {each.name} is {size}")
    return BatchPolicy("dynamic", f"the batch dimension of all {len(used)} inputs and outputs is symbolic")


def opset_and_ops(content: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """Opset versions by domain, and counts of the nodes' ops, those in subgraphs included."""
    import onnx  # noqa: PLC0415 - needed for this alone

    model = onnx.load_model_from_string(content)
    opset = {_domain(entry.domain): int(entry.version) for entry in model.opset_import}
    counts = Counter(_op(node) for node in _nodes(model.graph))
    return dict(sorted(opset.items())), dict(sorted(counts.items()))


def inspection(inputs: Sequence[Port], outputs: Sequence[Port], content: bytes, provider: str) -> dict[str, Any]:
    """The result of PROTOCOL.md's `inspect`."""
    opset, ops = opset_and_ops(content)
    return {
        "inputs": [_plain(each) for each in inputs],
        "outputs": [_plain(each) for each in outputs],
        "opset": opset,
        "ops": ops,
        "batch_policy": asdict(batch_policy(inputs, outputs)),
        "provider": provider,
    }


def _plain(each: Port) -> dict[str, Any]:
    return {"name": each.name, "type": each.type, "shape": list(each.shape)}


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _op(node: Any) -> str:
    domain = _domain(node.domain)
    return f"{domain}::{node.op_type}" if domain else str(node.op_type)


def _nodes(graph: Any) -> Iterable[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for subgraph in (attribute.g, *attribute.graphs):
                yield from _nodes(subgraph)
