"""Decoding a lane whose rows are all known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from llmzip.codec.block import LaneDecoder
from llmzip.codec.grid import Grid
from llmzip.codec.tree import RowTrees


def decode_lane(stream: bytes, rows: npt.NDArray[np.floating[Any]], grid: Grid, block: int) -> list[int]:
    """The tokens of a lane, from its rows `[n, V]`."""
    decoder, found = LaneDecoder(stream, grid, block, rows.shape[1]), RowTrees(*rows.shape)
    found.take(rows)

    def token(i: int) -> int:
        def masses(with_leader: bool) -> npt.NDArray[np.float64]:
            return found.masses(i, with_leader=with_leader)

        return decoder.decode(int(found.ids[i]), float(found.leads[i]), float(found.log_odds[i]), masses)

    return [token(i) for i in range(len(rows))]
