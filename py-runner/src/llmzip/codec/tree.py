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


class Path(NamedTuple):
    """The decisions of `n` known tokens; arrays are `[n, D]`."""

    bits: npt.NDArray[np.int64]
    log_odds: Floats
    # False where the right half holds no id: the bit is 0 and nothing is coded.
    coded: npt.NDArray[np.bool_]


def tree_depth(vocab_size: int) -> int:
    """The smallest D with 2^D >= vocab_size."""
    return (vocab_size - 1).bit_length()


def tree_masses(rows: Rows, out: Floats | None = None) -> Floats:
    """Masses of all nodes of the tree over each row: `[n, V]` to heaps `[n, 2^(D+1)]`, entry 0 unused.

    `out`, if given, is the result of an earlier call with the same shape, and is written over.
    """
    count, vocab_size = rows.shape
    leaves = 1 << tree_depth(vocab_size)
    masses = np.zeros((count, 2 * leaves)) if out is None else out
    weights = masses[:, leaves : leaves + vocab_size]
    values = rows.astype(np.float64)
    np.subtract(values, values.max(axis=1, keepdims=True), out=values)
    np.maximum(values, LOWEST_EXPONENT, out=values)
    np.exp(values, out=weights)
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
    return np.log(right) - np.log(left)


def path(masses: Floats, ids: Ids, vocab_size: int) -> Path:
    """The decisions of one known token for each heap, `[n, 2^(D+1)]` and `[n]`."""
    depth = tree_depth(vocab_size)
    leaves = 1 << depth
    # Bit d is decided at the ancestor D - d levels above the leaf and seen one level below that.
    above = depth - np.arange(depth)
    leaf = leaves + ids[:, np.newaxis]
    nodes = leaf >> above
    coded = (2 * nodes + 1) << (above - 1) < leaves + vocab_size
    odds = log_odds(masses, np.where(coded, nodes, 1))
    odds[~coded] = 0
    return Path((leaf >> (above - 1)) & 1, odds, coded)


def log_prob(rows: Rows, ids: Ids) -> Floats:
    """Log-prob of one id for each row: `[n, V]` and `[n]` to `[n]`."""
    return np.take_along_axis(log_probs(rows), ids[:, np.newaxis], axis=1)[:, 0]


def log_probs(rows: Rows) -> Floats:
    """Log-probs of all ids: `[..., V]` to `[..., V]`."""
    values = rows.astype(np.float64)
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return values
