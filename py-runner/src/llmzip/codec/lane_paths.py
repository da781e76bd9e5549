"""The decisions of known tokens, as a writer needs them before it has chosen a grid (FORMAT.md sections 5 and 8).

Owns which trees a writer can need; the rows' arithmetic is `tree`'s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmzip.codec.tree import Floats, Ids, RowTrees


class LanePaths(NamedTuple):
    """The decisions of `n` known tokens. Trees stand only where a writer can need them (see `path`)."""

    # [n]
    ids: Ids
    leads: Floats
    is_leader: npt.NDArray[np.bool_]
    leader_log_odds: Floats
    # [n, D]: log-odds in the tree without the leader, and in the tree of all ids.
    others: Floats
    all: Floats
    bits: npt.NDArray[np.int64]
    # False where the right half holds no id: the bit is 0 and nothing is coded.
    coded: npt.NDArray[np.bool_]


def empty_lane_paths(tokens: int, depth: int) -> LanePaths:
    """Room for the decisions of `tokens` tokens."""
    return LanePaths(
        np.zeros(tokens, np.int64),
        np.zeros(tokens),
        np.zeros(tokens, np.bool_),
        np.zeros(tokens),
        np.zeros((tokens, depth)),
        np.zeros((tokens, depth)),
        np.zeros((tokens, depth), np.int64),
        np.zeros((tokens, depth), np.bool_),
    )


def path(trees: RowTrees, ids: Ids, guard: float) -> tuple[LanePaths, Floats]:
    """The decisions of one known token for each of the rows that `trees` has taken in, `[n]`, and its log-prob, `[n]`.

    A tree is built only where some offset of a grid can ask for it: the threshold of a lead is 1 to 2, and a lead within the guard
    of it is not safe.
    """
    count, depth = len(trees), trees.depth
    leaves = 1 << depth
    # Bit d is decided at the ancestor D - d levels above the leaf and seen one level below that.
    above = depth - np.arange(depth)
    leaf = leaves + ids[:, np.newaxis]
    coded = (2 * (leaf >> above) + 1) << (above - 1) < leaves + trees.vocab_size
    is_leader = trees.leaders == ids
    others, all_ids = np.zeros((count, depth)), np.zeros((count, depth))
    for odds, needed, with_leader in (
        (others, (trees.leads > 1 - guard) & ~is_leader, False),
        (all_ids, trees.leads < 2 + guard, True),
    ):
        places = np.flatnonzero(needed)
        if len(places):
            odds[places] = trees.path_log_odds(places, ids[places], with_leader=with_leader)
            odds[~coded] = 0
    bits = (leaf >> (above - 1)) & 1
    paths = LanePaths(ids, trees.leads, is_leader, trees.leader_log_odds, others, all_ids, bits, coded)
    return paths, trees.log_probs_of(ids)
