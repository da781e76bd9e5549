"""The tree of decisions (FORMAT.md section 5): rows of logits to masses, log-odds and log-probs.

Owns the arithmetic on rows, nothing else. Rows are `[..., V]` in any float type; everything computed from them is binary64, in nats.

No token asks for more than one way from the root to a leaf. So a tree has two storeys, each a heap: above, the masses of spans of 64
neighbouring ids; below, those of the ids of one span, made when it is asked for. Both are kept without the leader, whose weight of 1 is
added to the nodes above it where it belongs to the tree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

# Below this a weight no longer matters, but must stay above 0 so that no mass is.
LOWEST_EXPONENT = -600.0

# In place of the mass of a half that holds nothing but the leader that was left out.
LOWEST_MASS = 2.0**-1000

# Rows whose trees are worked on together: enough that what each array operation costs by itself does not matter.
ROWS_AT_ONCE = 64

# A span has 2^6 ids, or all leaves of a tree that has fewer.
SPAN_BITS = 6


def tree_depth(vocab_size: int) -> int:
    """The smallest D with 2^D >= vocab_size."""
    return (vocab_size - 1).bit_length()


class RowTrees:
    """The leaders of some rows, and the ways through their trees.

    The room for as many as `room` rows is used again: what is given out is good until other rows are taken in, and the rows must stay as
    they are so long.
    """

    def __init__(self, room: int, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.depth = tree_depth(vocab_size)
        self._span_bits = min(SPAN_BITS, self.depth)
        self._spans = 1 << (self.depth - self._span_bits)
        # Those that hold ids.
        self._used_spans = -(-vocab_size >> self._span_bits)
        # One row's; the weights of what is behind the last id stay 0.
        self._weights = np.zeros((1, self._used_spans, 1 << self._span_bits))
        self._above = np.zeros((room, 2 * self._spans))
        self._rows: list[Rows] = []
        self.leaders: Ids = np.zeros(0, np.int64)
        # Their logits, the largest of each row.
        self.maxima: Floats = np.zeros(0)
        # The largest logit less that of the others, in nats.
        self.leads: Floats = np.zeros(0)
        # The sums of the weights of all ids but the leader, whose weight is 1.
        self.others: Floats = np.zeros(0)

    def __len__(self) -> int:
        return len(self.leaders)

    def __iter__(self) -> Iterator[RowTree]:
        """The tree of each row."""
        found = zip(self.leaders.tolist(), self.leads.tolist(), self.leader_log_odds.tolist(), strict=True)
        for number, (leader, lead, leader_log_odds) in enumerate(found):
            yield RowTree(leader, lead, leader_log_odds, self._above[number], self._rows[number])

    def take(self, rows: Rows) -> None:
        """Find the leader of each row, and the masses of spans: `[n, V]`, finite, n at most `room`."""
        self._rows = list(rows)
        above = self._above[: len(rows)]
        spans = above[:, self._spans : self._spans + self._used_spans]
        # A row at a time: one fits into the caches with its weights, and several do not.
        leaders = [self._take(row, spans[number : number + 1]) for number, row in enumerate(self._rows)]
        self.leaders = np.array([each[0] for each in leaders], np.int64)
        self.maxima, self.leads = np.array([each[1:] for each in leaders]).reshape(-1, 2).T
        self.others = spans.sum(axis=1)
        _sum_heaps(above)

    def _take(self, row: Rows, spans: Floats) -> tuple[int, float, float]:
        """A row's leader, its logit and its lead; the masses of spans without it go to `[1, spans that hold ids]`."""
        if row.dtype == np.float16:
            # Comparisons of 16-bit floats are slow.
            row = row.astype(np.float32)
        leader = int(row.argmax())
        maximum = float(row[leader])
        rest = (row[:leader], row[leader + 1 :])
        second = max(float(some.max()) for some in rest if some.size)
        weights = self._weights.reshape(-1)[: self.vocab_size]
        np.copyto(weights, row)
        weights -= maximum
        if float(row.min()) - maximum < LOWEST_EXPONENT:
            np.maximum(weights, LOWEST_EXPONENT, out=weights)
        np.exp(weights, out=weights)
        weights[leader] = 0
        np.einsum("rsi->rs", self._weights, out=spans)
        return leader, maximum, maximum - second

    @property
    def leader_log_odds(self) -> Floats:
        """Of each leader against all others, `[n]`."""
        odds: Floats = -np.log(self.others)
        return odds

    def log_probs_of(self, ids: Ids) -> Floats:
        """Of one id for each row, `[n]` to `[n]`."""
        logits = np.array([row[token] for row, token in zip(self._rows, ids.tolist(), strict=True)], np.float64)
        # Without `log1p` as in the other languages: all three must say alike what a token costs.
        log_probs: Floats = (logits - self.maxima) - np.log(1 + self.others)
        return log_probs

    def path_log_odds(self, places: Ids, ids: Ids, *, with_leader: bool) -> Floats:
        """Log-odds of the decisions on the way to one id for each of some rows, `[m]` and `[m]` to `[m, D]`.

        In the tree with the leader or in that without; of no use where the right half holds no id.
        """
        spans, leaders = ids >> self._span_bits, self.leaders[places]
        below = np.zeros((len(places), 2 << self._span_bits))
        for heap, place, span in zip(below, places.tolist(), spans.tolist(), strict=True):
            weights = _span_weights(self._rows[place], span, self._span_bits, int(self.leaders[place]))
            heap[1 << self._span_bits :][: len(weights)] = weights
        _sum_heaps(below)
        in_span = with_leader & (leaders >> self._span_bits == spans)
        mask = (1 << self._span_bits) - 1
        return np.concatenate(
            [
                _way(self._above[places], spans, leaders >> self._span_bits if with_leader else np.full_like(ids, -1)),
                _way(below, ids & mask, np.where(in_span, leaders & mask, -1)),
            ],
            axis=1,
        )


def _span_weights(row: Rows, span: int, span_bits: int, leader: int) -> Floats:
    """The weights of a span's ids, the leader's being 0."""
    first = span << span_bits
    exponents = row[first : first + (1 << span_bits)].astype(np.float64)
    exponents -= row.item(leader)
    np.maximum(exponents, LOWEST_EXPONENT, out=exponents)
    weights: Floats = np.exp(exponents, out=exponents)
    if leader >> span_bits == span:
        weights[leader - first] = 0
    return weights


def _sum_heaps(heaps: Floats) -> None:
    """From the leaves up: `[m, 2 * leaves]`."""
    first = heaps.shape[1] // 2
    while first > 1:
        children = heaps[:, first : 2 * first]
        first //= 2
        np.add(children[:, ::2], children[:, 1::2], out=heaps[:, first : 2 * first])


def _way(heaps: Floats, leaves: Ids, leaders: Ids) -> Floats:
    """Log-odds on the way to a leaf of each heap, `[m, 2^(levels + 1)]` and `[m]` to `[m, levels]`; a leader of -1 has no weight."""
    levels = heaps.shape[1].bit_length() - 2
    heights = np.arange(levels - 1, -1, -1)
    first = 1 << (levels - heights)
    left = first + (leaves[:, np.newaxis] >> (heights + 1)) * 2
    leader = np.where(leaders[:, np.newaxis] < 0, 0, first + (leaders[:, np.newaxis] >> heights))
    left_mass, right_mass = (np.take_along_axis(heaps, child, axis=1) + (leader == child) for child in (left, left + 1))
    odds: Floats = np.log(np.maximum(right_mass, LOWEST_MASS)) - np.log(np.maximum(left_mass, LOWEST_MASS))
    return odds


class RowTree:
    """The leader of one row, and the way through its tree that decisions lead; good until its `RowTrees` takes in other rows."""

    def __init__(self, leader: int, lead: float, leader_log_odds: float, above: Floats, row: Rows) -> None:
        self.leader = leader
        self.lead = lead
        # Of the leader against all others.
        self.leader_log_odds = leader_log_odds
        self.vocab_size = len(row)
        self._above = above
        self._row = row

    def find(self, decide: Callable[[float], int], *, with_leader: bool) -> int:
        """The id that decisions lead to: `decide` gives the bit for each log-odds.

        In the tree with the leader or in that without; the id is below V.
        """
        span_bits = min(SPAN_BITS, tree_depth(self.vocab_size))
        leader = self.leader if with_leader else -1
        span = _descend(self._above, -(-self.vocab_size >> span_bits), leader >> span_bits, decide)
        weights = _span_weights(self._row, span, span_bits, self.leader).tolist()
        first = span << span_bits
        if leader >> span_bits == span:
            weights[leader - first] = 1.0
        return first + _descend_weights(weights, 1 << span_bits, decide)


def _descend(heap: Floats, used: int, leader: int, decide: Callable[[float], int]) -> int:
    """The leaf of a heap that decisions lead to, of which the first `used` hold ids; a leader of -1 has no weight."""
    mass = heap.item
    levels = len(heap).bit_length() - 2
    end, leader_leaf = (1 << levels) + used, (1 << levels) + leader if leader >= 0 else 0
    node = 1
    for height in range(levels - 1, -1, -1):
        left = 2 * node
        if (left + 1) << height >= end:
            node = left
            continue
        left_mass, right_mass = mass(left), mass(left + 1)
        above_leader = leader_leaf >> height
        if above_leader == left:
            left_mass += 1
        elif above_leader == left + 1:
            right_mass += 1
        node = left + decide(_log_odds(left_mass, right_mass))
    return node - (1 << levels)


def _descend_weights(weights: list[float], leaves: int, decide: Callable[[float], int]) -> int:
    """The same without a heap: for the few leaves of a span that is gone through but once, sums of lists take less time than arrays do."""
    first = 0
    while leaves > 1:
        leaves //= 2
        middle = first + leaves
        if middle < len(weights):
            left, right = sum(weights[first:middle]), sum(weights[middle : middle + leaves])
            if decide(_log_odds(left, right)):
                first = middle
    return first


def _log_odds(left: float, right: float) -> float:
    return math.log(max(right, LOWEST_MASS)) - math.log(max(left, LOWEST_MASS))


def log_probs(rows: Rows) -> Floats:
    """Log-probs of all ids: `[..., V]` to `[..., V]`."""
    values = rows.astype(np.float64)
    values -= values.max(axis=-1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=-1, keepdims=True))
    return values
