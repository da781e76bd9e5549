"""The tree of decisions (FORMAT.md section 5): rows of logits to masses, log-odds and log-probs.

Owns the arithmetic on rows, nothing else. Rows are `[..., V]` in any float type; everything computed from them is binary64, in nats.

Masses are kept as a heap: entry 1 is the root, entry `n` has the children `2n` and `2n + 1`, entry `2^D + i` is the leaf of id `i`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

# Below this a weight no longer matters, but must stay above 0 so that no mass is.
LOWEST_EXPONENT = -600.0


# In place of the mass of a half that holds nothing but the leader that was left out.
LOWEST_MASS = 2.0**-1000


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


def tree_depth(vocab_size: int) -> int:
    """The smallest D with 2^D >= vocab_size."""
    return (vocab_size - 1).bit_length()


class RowTrees:
    """The leaders of some rows, and their trees where they are asked for.

    The room for as many as `room` rows is used again: what is given out is good until other rows are taken in, and masses until they are
    asked for in the other form.
    """

    def __init__(self, room: int, vocab_size: int) -> None:
        self._vocab_size = vocab_size
        self._leaves = 1 << tree_depth(vocab_size)
        self._narrow: Rows = np.empty((0, 0), np.float32)
        # Leaves without an id keep their 0.
        self._masses = np.zeros((room, 2 * self._leaves))
        # By row, from the leaves up: left halves, right halves, their sums. Nodes without ids keep their 0.
        self._levels: dict[int, list[tuple[Floats, Floats, Floats]]] = {}
        self._built: list[bool | None] = []
        self.ids: Ids = np.zeros(0, np.int64)
        self.logits: Floats = np.zeros(0)
        # The largest logit less that of the others, in nats.
        self.leads: Floats = np.zeros(0)
        # The sums of the weights of all ids but the leader, whose weight is 1.
        self.others: Floats = np.zeros(0)

    def _steps(self, heap: Floats) -> Iterator[tuple[Floats, Floats, Floats]]:
        level, used = self._leaves, self._vocab_size
        while level > 1:
            used = (used + 1) // 2
            children = heap[level : level + 2 * used]
            level //= 2
            yield children[::2], children[1::2], heap[level : level + used]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Rows) -> None:
        """Find the leader of each row: `[n, V]`, n at most `room`."""
        kind = np.dtype(np.float32) if rows.dtype == np.float16 else rows.dtype
        if self._narrow.dtype != kind or len(self._narrow) < len(rows):
            self._narrow = np.empty((len(self._masses), self._vocab_size), kind)
        # A copy; comparisons of 16-bit floats are slow.
        narrow = self._narrow[: len(rows)]
        narrow[:] = rows
        self.ids = narrow.argmax(axis=1)
        at = (np.arange(len(rows)), self.ids)
        self.logits = narrow[at].astype(np.float64)
        weights = self._weights
        np.subtract(narrow, self.logits[:, np.newaxis], out=weights, dtype=np.float64)
        narrow[at] = -np.inf
        self.leads = self.logits - narrow.max(axis=1).astype(np.float64)
        np.maximum(weights, LOWEST_EXPONENT, out=weights)
        np.exp(weights, out=weights)
        weights[at] = 0
        self.others = weights.sum(axis=1)
        self._built = [None] * len(rows)

    @property
    def _weights(self) -> Floats:
        """Those of all ids, `[n, V]`: the leaves."""
        return self._masses[: len(self.ids), self._leaves : self._leaves + self._vocab_size]

    @property
    def log_odds(self) -> Floats:
        """Of each leader against all others, `[n]`."""
        odds: Floats = -np.log(self.others)
        return odds

    def masses(self, row: int, *, with_leader: bool) -> Floats:
        """Masses of all nodes of a row's tree, with the leader's weight or without: a heap `[2^(D+1)]`, entry 0 unused."""
        heap: Floats = self._masses[row]
        if self._built[row] is not with_leader:
            heap[self._leaves + self.ids[row]] = with_leader
            if row not in self._levels:
                self._levels[row] = list(self._steps(heap))
            for left, right, sums in self._levels[row]:
                np.add(left, right, out=sums)
            self._built[row] = with_leader
        return heap


def path(rows: Rows, ids: Ids, guard: float, trees: RowTrees | None = None) -> tuple[LanePaths, Floats]:
    """The decisions of one known token for each row, `[n, V]` and `[n]`, and its log-prob, `[n]`; `trees` has room for the rows.

    A tree is built only where some offset of a grid can ask for it: the threshold of a lead is 1 to 2, and a lead within the guard
    of it is not safe.
    """
    count, vocab_size = rows.shape
    depth = tree_depth(vocab_size)
    leaves = 1 << depth
    # Bit d is decided at the ancestor D - d levels above the leaf and seen one level below that.
    above = depth - np.arange(depth)
    leaf = leaves + ids[:, np.newaxis]
    nodes = leaf >> above
    coded = (2 * nodes + 1) << (above - 1) < leaves + vocab_size
    found = RowTrees(count, vocab_size) if trees is None else trees
    found.take(rows)
    is_leader = found.ids == ids
    others, all_ids = np.zeros((count, depth)), np.zeros((count, depth))
    for odds, needed, with_leader in (
        (others, (found.leads > 1 - guard) & ~is_leader, False),
        (all_ids, found.leads < 2 + guard, True),
    ):
        for row in np.flatnonzero(needed).tolist():
            odds[row] = _log_odds(found.masses(row, with_leader=with_leader), nodes[row])
        odds[~coded] = 0
    bits = (leaf >> (above - 1)) & 1
    paths = LanePaths(ids, found.leads, is_leader, found.log_odds, others, all_ids, bits, coded)
    logits = np.take_along_axis(rows, ids[:, np.newaxis], axis=1)[:, 0].astype(np.float64)
    # Without `log1p` as in the other languages: all three must say alike what a token costs.
    return paths, (logits - found.logits) - np.log(1 + found.others)


def _log_odds(masses: Floats, nodes: Ids) -> Floats:
    """`ln(right half) - ln(left half)` at nodes of a heap, `[m]`."""
    right, left = masses[2 * nodes + 1], masses[2 * nodes]
    odds: Floats = np.log(np.maximum(right, LOWEST_MASS)) - np.log(np.maximum(left, LOWEST_MASS))
    return odds


def log_probs(rows: Rows) -> Floats:
    """Log-probs of all ids: `[..., V]` to `[..., V]`."""
    values = rows.astype(np.float64)
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return values
