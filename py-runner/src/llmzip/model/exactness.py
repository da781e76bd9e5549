"""Whether a graph is taken as exact: its logits are the same bits on every engine, in every plan (EXACT.md).

Owns the ops that may occur and what relies on exactness; the full proof is the checker's, when the graph is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from llmzip.errors import UnsupportedError

METADATA_KEY = "llmzip.exact"
RULES_VERSION = "1"
EXACT_OPS = frozenset(
    {
        *("Abs", "Add", "And", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "DequantizeLinear", "Div"),
        *("Equal", "Expand", "Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual"),
        *("MatMulInteger", "Max", "Min", "Mul", "Neg", "Not", "Or", "QuantizeLinear", "Range", "ReduceMax"),
        *("ReduceMin", "ReduceSum", "Relu", "Reshape", "Round", "Shape", "Slice", "Split", "Sqrt", "Squeeze", "Sub"),
        *("Tile", "Transpose", "Unsqueeze", "Where"),
    }
)
# Of a version that is not known, as much as a message needs.
SHOWN_VERSION = 40


@dataclass(frozen=True)
class Exactness:
    """Whether a source's logits are the same bits everywhere, and why or why not."""

    exact: bool
    reason: str


def read_exactness(metadata: Mapping[str, str], ops: Iterable[str]) -> Exactness:
    """Judge a graph by its `metadata_props` and the ops of all its nodes, as `op` or `domain::op`."""
    version = metadata.get(METADATA_KEY)
    if version is None:
        return Exactness(False, "the graph does not say that it is exact")
    if version != RULES_VERSION:
        shown = version[:SHOWN_VERSION]
        return Exactness(False, f"the graph follows version {shown} of the rules, which this runner does not know")
    other = min((op for op in ops if op not in EXACT_OPS), default=None)
    if other is not None:
        return Exactness(False, f"the graph says that it is exact, but has the op {other}")
    return Exactness(True, f"the graph says so ({METADATA_KEY} {RULES_VERSION}) and has only exact ops")


def require_exact(exactness: Exactness) -> None:
    """Raise `UnsupportedError` unless the logits are the same bits everywhere, as a container with eps 0 needs them."""
    if not exactness.exact:
        raise UnsupportedError(
            f"eps 0 relies on logits that are the same bits everywhere, but {exactness.reason}",
            "use the model's variant exact, or an eps above 0",
        )
