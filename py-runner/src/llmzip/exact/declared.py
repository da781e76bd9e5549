"""What a file says of its tensors, held to what is known of them. Owns that comparison; decides nothing about nodes.

Engines lay tensors over each other whose declared shapes are the same: a shape that is not the true one would be an error at best.
"""

from __future__ import annotations

from collections.abc import Iterator

from .graph import Declared, Graph
from .shapes import Dim
from .values import KIND_NAMES, UNDEFINED, Value


def wrong_declarations(graph: Graph, values: dict[str, Value]) -> Iterator[tuple[str, str]]:
    """The tensors of which the file says what is not known to be so, each with the reason."""
    names: dict[str, Dim] = {}
    for name, declared in (graph.inputs | graph.outputs | graph.between).items():
        value = values.get(name)
        if value is None:
            yield name, f"{name} is declared, and nothing makes it"
        # Of what comes out of a node that breaks a rule nothing is known.
        elif not value.tainted:
            why = _wrong(declared, value, names)
            if why is not None:
                yield name, f"{name} is declared as {why}"


def _wrong(declared: Declared, value: Value, names: dict[str, Dim]) -> str | None:
    if declared.kind not in (UNDEFINED, value.kind):
        kinds = [KIND_NAMES.get(kind, str(kind)) for kind in (declared.kind, value.kind)]
        return f"{kinds[0]}, and is {kinds[1]}"
    if declared.dimensions is None:
        return None
    if value.shape is None or len(value.shape) != len(declared.dimensions):
        return f"of {len(declared.dimensions)} dimensions, which it is not known to have"
    for axis, (said, known) in enumerate(zip(declared.dimensions, value.shape, strict=True)):
        wrong_number = isinstance(said, int) and said != known.known
        wrong_name = isinstance(said, str) and names.setdefault(said, known) != known
        if wrong_number or wrong_name:
            return f"{said} long along axis {axis}, which it is not known to be"
    return None
