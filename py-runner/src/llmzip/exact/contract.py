"""What runners promise of a graph's inputs. Owns the meaning of their names; knows no node.

Ids are at least 0; the mask has zeros and ones; positions count from 0 and stay within the tables; the cache is what earlier
runs gave out, and empty before the first. The cache and the input together have no more tokens than there are positions.
"""

from __future__ import annotations

from llmzip.errors import UsageError
from llmzip.model.signature import IDS, MASK, PAST, POSITIONS, PRESENT

from .graph import Graph
from .ranges import Range
from .report import Positions
from .shapes import BATCH, SEQUENCE, TOTAL, Dim, Lengths, Shape, number
from .shapes import PAST as PAST_LENGTH
from .values import FLOAT, INTEGERS, UINT8, Value, full_range

_MOST = 2**31 - 1
_KEEPS_ALL = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_SECOND = {IDS: SEQUENCE, POSITIONS: SEQUENCE, MASK: TOTAL}


def find_positions(graph: Graph, given: int | None) -> Positions:
    """The bound of the context: `given`, else the graph's own. Raises `UsageError` where the graph bounds it below `given`."""
    own = _own_bound(graph)
    if given is None:
        return own
    if own.value is not None and given > own.value:
        raise UsageError(
            f"the graph has {own.value} positions ({own.source}), not {given}",
            f"give --positions {own.value} or less, or leave it out",
        )
    return own if given == own.value else Positions(given, "given", own.value, part=True)


def _own_bound(graph: Graph) -> Positions:
    """The least length of a constant table that positions are looked up in."""
    tables: dict[int, str] = {}
    live = _live(graph)
    for node in graph.nodes:
        if node.op != "Gather" or node.domain or len(node.inputs) != 2 or not node.outputs:
            continue
        table = graph.constants.get(node.inputs[0])
        if table is None or table.array is None or table.array.ndim == 0:
            continue
        if node.outputs[0] in live and _holds_positions(graph, node.inputs[1]):
            axis = int(node.attributes.get("axis") or 0)
            if -table.array.ndim <= axis < table.array.ndim:
                tables.setdefault(table.array.shape[axis], node.inputs[0])
    if not tables:
        return Positions(None, "no table of positions", None)
    least = min(tables)
    return Positions(least, f"from {tables[least]}", least)


def _holds_positions(graph: Graph, name: str) -> bool:
    """Whether a tensor has all position ids as its elements."""
    maker = graph.maker(name)
    while maker is not None and maker.op in _KEEPS_ALL and not maker.domain:
        name = maker.input(0)
        maker = graph.maker(name)
    return name == POSITIONS and name in graph.inputs


def _live(graph: Graph) -> set[str]:
    """The outputs of nodes that some output of the graph depends on: engines leave the others out, with their checks."""
    live: set[str] = set()
    waiting = list(graph.outputs)
    while waiting:
        name = waiting.pop()
        if name not in live:
            live.add(name)
            maker = graph.maker(name)
            waiting.extend(maker.inputs if maker is not None else ())
    return live


def caches(graph: Graph) -> dict[str, str]:
    """The cache's inputs, with the outputs that they are fed from."""
    pairs = {name: PRESENT + name.removeprefix(PAST) for name in graph.inputs if name.startswith(PAST)}
    return {past: present for past, present in pairs.items() if present in graph.outputs}


def growing_axis(declared: tuple[int | None, ...] | None) -> int | None:
    """The axis of a cache along which the past lies; None where not just one is left open beside the batch."""
    open_axes = [axis for axis, size in enumerate(declared or ()) if size is None and axis]
    return open_axes[0] if len(open_axes) == 1 else None


def wrong_growth(graph: Graph, name: str, past: Value, present: Value, lengths: Lengths) -> str | None:
    """What keeps an output from being the cache `name` with the new tokens put to it, by its shape; None where nothing does."""
    axis = growing_axis(graph.inputs[name].shape)
    if axis is None or past.shape is None:
        return f"{name} leaves not just one axis open for the past"
    grown = (*past.shape[:axis], lengths.named(TOTAL), *past.shape[axis + 1 :])
    if present.shape == grown:
        return None
    return f"what {name} is fed from is not known to be as long as the past and the input together, and else as it is"


def describe_input(graph: Graph, name: str, lengths: Lengths, positions: Positions) -> Value:
    """What is known of an input; a cache's content is up to who knows the outputs."""
    declared = graph.inputs[name]
    shape = _shape(name, declared.shape, lengths)
    integer = declared.kind in INTEGERS
    if name == IDS and integer and declared.kind != UINT8:
        bounds = Range(0, _MOST)
    elif name == POSITIONS and integer and positions.value is not None:
        bounds = Range(0, positions.value - 1)
    elif name == MASK and integer:
        bounds = Range(0, 1)
    else:
        bounds = full_range(declared.kind, loose=declared.kind == FLOAT)
    return Value(declared.kind, shape, bounds, 0 if integer else None)


def _shape(name: str, declared: tuple[int | None, ...] | None, lengths: Lengths) -> Shape | None:
    if declared is None:
        return None
    names: dict[int, str] = {}
    growing = growing_axis(declared) if name.startswith(PAST) else None
    if name in _SECOND:
        names = {0: BATCH, 1: _SECOND[name]}
    elif growing is not None:
        names = {0: BATCH, growing: PAST_LENGTH}
    shape: list[Dim] = []
    for axis, size in enumerate(declared):
        if size is not None:
            shape.append(number(size))
        else:
            shape.append(lengths.named(names[axis]) if axis in names else lengths.unknown())
    return tuple(shape)
