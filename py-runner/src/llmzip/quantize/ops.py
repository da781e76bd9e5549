"""Which ops each runtime's build has. Owns that table and the question whether a graph runs there; runs nothing itself.

The table holds what is missing, not what is there: the builds have every op of ONNX and of com.microsoft that decoders are made of, but for
those named here. Tests hold it to the packages that are installed, op by op, with the graphs that this package makes.
"""

from collections import Counter
from dataclasses import dataclass

import onnx

Op = tuple[str, str]
"""Domain ("" for ONNX's own) and op type."""

_MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Runtime:
    """One build: what it is called, who loads it, and the ops of decoders that it lacks a kernel for on the CPU."""

    name: str
    used_by: str
    missing: frozenset[Op] = frozenset()


RUNTIMES = (
    Runtime("onnxruntime", "Python, Rust and, as onnxruntime-node, Node"),
    Runtime("onnxruntime-web, plain", "pages that load ort.wasm"),
    Runtime(
        "onnxruntime-web, asyncify",
        "transformers.js in a page",
        frozenset({(_MICROSOFT, "GatherBlockQuantized")}),
    ),
)


@dataclass(frozen=True)
class Compatibility:
    """Whether one runtime has every op of a graph, and the ops that it lacks."""

    runtime: Runtime
    missing: tuple[Op, ...]

    @property
    def runs(self) -> bool:
        """Whether a session of the graph can be made there."""
        return not self.missing

    def line(self) -> str:
        """One line for a person."""
        lacks = ", ".join(f"{domain}::{op}" if domain else op for domain, op in self.missing)
        return f"{self.runtime.name} ({self.runtime.used_by}): " + (f"lacks {lacks}" if lacks else "has every op")


def ops(graph: onnx.GraphProto) -> Counter[Op]:
    """How often each op stands in a graph, its subgraphs included."""
    found: Counter[Op] = Counter()
    for node in graph.node:
        found["" if node.domain == "ai.onnx" else node.domain, node.op_type] += 1
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                found += ops(inner)
    return found


def compatibility(model: onnx.ModelProto) -> list[Compatibility]:
    """What each runtime lacks of a graph, in the order of `RUNTIMES`."""
    needed = ops(model.graph)
    return [Compatibility(runtime, tuple(sorted(op for op in needed if op in runtime.missing))) for runtime in RUNTIMES]
