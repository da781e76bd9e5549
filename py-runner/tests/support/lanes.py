"""The codec on a lane whose rows are all known."""

from __future__ import annotations

from llmzip.codec.block import LaneDecoder
from llmzip.codec.grid import Grid
from llmzip.codec.lane_paths import LanePaths, path
from llmzip.codec.tree import Floats, Ids, Rows, RowTrees


def path_of(rows: Rows, ids: Ids, guard: float) -> tuple[LanePaths, Floats]:
    """The decisions of a lane's tokens, from its rows `[n, V]`."""
    found = RowTrees(*rows.shape)
    found.take(rows)
    return path(found, ids, guard)


def decode_lane(stream: bytes, rows: Rows, grid: Grid, block: int) -> list[int]:
    """The tokens of a lane, from its rows `[n, V]`."""
    decoder, found = LaneDecoder(stream, grid, block), RowTrees(*rows.shape)
    found.take(rows)
    return [decoder.decode(tree) for tree in found]
