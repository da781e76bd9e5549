"""The tree of decisions (FORMAT.md section 5): rows of logits to masses, log-odds and log-probs.

Owns the arithmetic on rows, nothing else. Rows are `[..., V]` in any float type; everything computed from them is binary64, in nats.

Masses are kept as a heap: entry 1 is the root, entry `n` has the children `2n` and `2n + 1`, entry `2^D + i` is the leaf of id `i`.
"""

from __future__ import annotations

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


class Leaders(NamedTuple):
    """The leaders of `n` rows: all `[n]`, but the weights `[n, V]`, of which the leaders' own are 0; `others` are their sums."""

    ids: Ids
    logits: Floats
    leads: Floats
    others: Floats
    weights: Floats

    @property
    def log_odds(self) -> Floats:
        """Of each leader against all others, `[n]`."""
        odds: Floats = -np.log(self.others)
        return odds


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


def leaders(rows: Rows) -> Leaders:
    """Find the leader of each row: `[n, V]`."""
    # A copy; comparisons of 16-bit floats are slow.
    narrow = rows.astype(np.float32 if rows.dtype == np.float16 else rows.dtype)
    ids: Ids = narrow.argmax(axis=1)
    at = (np.arange(len(ids)), ids)
    maxima = narrow[at].astype(np.float64)
    values: Floats = np.subtract(narrow, maxima[:, np.newaxis], dtype=np.float64)
    narrow[at] = -np.inf
    seconds = narrow.max(axis=1).astype(np.float64)
    np.maximum(values, LOWEST_EXPONENT, out=values)
    np.exp(values, out=values)
    values[at] = 0
    others: Floats = values.sum(axis=1)
    return Leaders(ids, maxima, maxima - seconds, others, values)


def tree_masses(weights: Floats, leader_ids: Ids | None = None) -> Floats:
    """Masses of all nodes of the tree over each row: `[n, V]` to heaps `[n, 2^(D+1)]`, entry 0 unused.

    `weights` are those of `leaders`, in which the leaders are left out; with `leader_ids` they have their weight.
    """
    count, vocab_size = weights.shape
    leaves = 1 << tree_depth(vocab_size)
    masses = np.zeros((count, 2 * leaves))
    masses[:, leaves : leaves + vocab_size] = weights
    if leader_ids is not None:
        masses[np.arange(count), leaves + leader_ids] = 1
    level = leaves
    while level > 1:
        np.add(
            masses[:, level : 2 * level : 2], masses[:, level + 1 : 2 * level : 2], out=masses[:, level // 2 : level]
        )
        level //= 2
    return masses


def log_odds(masses: Floats, nodes: Ids) -> Floats:
    """`ln(right half) - ln(left half)` at nodes of each heap: `[n, 2^(D+1)]`, `[n, m]` to `[n, m]`."""
    right = np.take_along_axis(masses, 2 * nodes + 1, axis=1)
    left = np.take_along_axis(masses, 2 * nodes, axis=1)
    odds: Floats = np.log(np.maximum(right, LOWEST_MASS)) - np.log(np.maximum(left, LOWEST_MASS))
    return odds


def path(rows: Rows, ids: Ids, guard: float) -> tuple[LanePaths, Floats]:
    """The decisions of one known token for each row, `[n, V]` and `[n]`, and its log-prob, `[n]`.

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
    found = leaders(rows)
    is_leader = found.ids == ids
    others, all_ids = np.zeros((count, depth)), np.zeros((count, depth))
    needed = np.flatnonzero((found.leads > 1 - guard) & ~is_leader)
    if len(needed):
        others[needed] = log_odds(tree_masses(found.weights[needed]), np.where(coded, nodes, 1)[needed])
    needed = np.flatnonzero(found.leads < 2 + guard)
    if len(needed):
        masses = tree_masses(found.weights[needed], found.ids[needed])
        all_ids[needed] = log_odds(masses, np.where(coded, nodes, 1)[needed])
    others[~coded] = 0
    all_ids[~coded] = 0
    bits = (leaf >> (above - 1)) & 1
    paths = LanePaths(ids, found.leads, is_leader, found.log_odds, others, all_ids, bits, coded)
    logits = np.take_along_axis(rows, ids[:, np.newaxis], axis=1)[:, 0].astype(np.float64)
    # Without `log1p` as in the other languages: all three must say alike what a token costs.
    return paths, (logits - found.logits) - np.log(1 + found.others)


def log_probs(rows: Rows) -> Floats:
    """Log-probs of all ids: `[..., V]` to `[..., V]`."""
    values = rows.astype(np.float64)
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return values
