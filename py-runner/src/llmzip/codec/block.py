"""Lanes as blocks that share a grid offset (FORMAT.md sections 7 and 8).

Owns the writer's choices (N, B, offsets) and the bits of a lane's stream; gets log-odds from `tree` and knows no files.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from llmzip.codec.arithmetic_coder import AdaptiveBit, BitDecoder, BitEncoder
from llmzip.codec.grid import Floats, Grid, bit_costs, position
from llmzip.codec.lane_paths import LanePaths
from llmzip.codec.tree import RowTree, tree_depth
from llmzip.errors import FormatError

Integers = npt.NDArray[np.int64]

CELL_LADDER = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
SMALL_BLOCKS = (4, 8, 16, 32, 64)
LARGE_BLOCKS = (64, 128, 256, 512, 1024, 2048, 4096)
COARSE_CELLS = 12
RAW_PROBABILITY = 32768
RAW_BIT_COST = 65536
# Added to the cost of an unsafe decision: more than any block's honest cost, and no sum of it overflows.
UNSAFE = 1 << 40
# Decisions whose cells are found at once; bounds the working memory.
DECISIONS_AT_ONCE = 4096


class Parameters(NamedTuple):
    """A choice of N and B."""

    cells: int
    block: int


def candidates(eps: float) -> list[Parameters]:
    """The choices of N and B that a writer compares, in the order in which the first of equals wins."""
    enough = (i for i, n in enumerate(CELL_LADDER) if n * n * n * eps >= 1)
    place = next(enough, len(CELL_LADDER) - 1)
    blocks = SMALL_BLOCKS if CELL_LADDER[place] <= COARSE_CELLS else LARGE_BLOCKS
    return [Parameters(n, b) for n in CELL_LADDER[max(place - 1, 0) : place + 2] for b in blocks]


class OffsetIndex:
    """The adaptive unary code of a block's offset index, `0 .. offsets`; `offsets` is the escape."""

    def __init__(self, offsets: int) -> None:
        self._bits = [AdaptiveBit() for _ in range(offsets)]
        half = bit_costs()[RAW_PROBABILITY]
        self._stop = np.full(offsets + 1, half)
        self._stop[offsets] = 0
        self._go_on = np.full(offsets, half)

    def costs(self) -> Integers:
        """What each index would cost now, `[offsets + 1]`."""
        costs = self._stop.copy()
        costs[1:] += np.cumsum(self._go_on)
        return costs

    def decisions(self, k: int) -> list[tuple[int, int]]:
        """Bits and probabilities that code `k`, in order; they are learned."""
        steps, learned = [], []
        for i, adaptive in enumerate(self._bits[: k + 1]):
            bit = int(i < k)
            steps.append((bit, adaptive.probability()))
            adaptive.update(bit)
            learned.append(adaptive.probability())
        p = np.array(learned, np.int64)
        self._go_on[: len(p)], self._stop[: len(p)] = bit_costs()[p], bit_costs()[65536 - p]
        return steps

    def decode(self, decoder: BitDecoder) -> int:
        """Read an index. The adaptive bits learn it; the costs do not follow, since only a writer asks for them."""
        for i, adaptive in enumerate(self._bits):
            bit = decoder.decode(adaptive.probability())
            adaptive.update(bit)
            if not bit:
                return i
        return len(self._bits)


def decision_costs(
    grid: Grid, odds: Floats, bits: Integers, coded: npt.NDArray[np.bool_], guard: float | Floats
) -> Integers:
    """Summed costs of each token's decisions under every offset, `[n, m]` each to `[n, offsets]`; `UNSAFE` or more where one is."""
    below = np.floor(grid.cells * position(odds - guard)[:, :, np.newaxis] - grid.shifts)
    above = np.floor(grid.cells * position(odds + guard)[:, :, np.newaxis] - grid.shifts)
    # Where it is safe both are the cell itself. One index into the flat table is faster than three.
    index = (bits[:, :, np.newaxis] * (grid.cells + 2) + below.astype(np.int64) + 1) * grid.offsets
    costs = grid.costs().ravel()[index + np.arange(grid.offsets)]
    costs[below != above] = UNSAFE
    costs[~coded] = 0
    total: Integers = costs.sum(axis=1)
    return total


def token_costs(lane: LanePaths, piece: slice, grid: Grid) -> Integers:
    """Costs of each token under every offset, `[n, offsets]`; `UNSAFE` or more where something is unsafe."""
    leads, is_leader = lane.leads[piece], lane.is_leader[piece]
    as_leader = np.zeros((len(leads), grid.offsets), np.int64)
    in_tree = np.zeros_like(as_leader)

    def tree(odds: Floats, chosen: Integers) -> Integers:
        return decision_costs(
            grid, odds[piece][chosen], lane.bits[piece][chosen], lane.coded[piece][chosen], grid.guard
        )

    chosen = np.flatnonzero(leads > 1 - grid.guard)
    odds = lane.leader_log_odds[piece][chosen, np.newaxis]
    bits = is_leader[chosen, np.newaxis].astype(np.int64)
    as_leader[chosen] = decision_costs(grid, odds, bits, np.ones_like(bits, np.bool_), grid.leader_guard(odds))
    chosen = chosen[~is_leader[chosen]]
    as_leader[chosen] += tree(lane.others, chosen)
    chosen = np.flatnonzero(leads < 2 + grid.guard)
    in_tree[chosen] = tree(lane.all, chosen)
    every = np.arange(grid.offsets)
    costs: Integers = np.where(grid.leads(leads[:, np.newaxis], every), as_leader, in_tree)
    costs[~grid.leads_safely(leads[:, np.newaxis], every)] = UNSAFE
    return costs


def block_costs(lane: LanePaths, grid: Grid, block: int) -> Integers:
    """Costs of the decisions of every block under every offset, `[blocks, offsets]`; `UNSAFE` or more where one is unsafe."""
    tokens, depth = lane.bits.shape
    step = block * max(1, DECISIONS_AT_ONCE // (block * depth))
    sums = []
    for start in range(0, tokens, step):
        costs = token_costs(lane, slice(start, start + step), grid)
        sums.append(np.add.reduceat(costs, np.arange(0, len(costs), block), axis=0))
    return np.concatenate(sums)


def choose_offsets(costs: Integers, raw_costs: Integers, offsets: int) -> tuple[list[int], int]:
    """The offset index of each block and the cost of the lane: `[blocks, offsets]`, `[blocks]`."""
    index = OffsetIndex(offsets)
    total = np.concatenate([costs, raw_costs[:, np.newaxis]], axis=1)
    chosen: list[int] = []
    cost = 0
    for block in total:
        if chosen:
            index.decisions(chosen[-1])
        row = block + index.costs()
        k = int(row.argmin())
        chosen.append(k)
        cost += int(row[k])
    return chosen, cost


def raw_block_costs(tokens: int, depth: int, block: int) -> Integers:
    """What the raw ids of each block cost, `[blocks]`."""
    starts = np.arange(0, tokens, block)
    return np.minimum(block, tokens - starts) * (depth * RAW_BIT_COST)


def merge_pairs(costs: Integers) -> Integers:
    """Costs by block to costs by blocks of twice the length."""
    return np.add.reduceat(costs, np.arange(0, len(costs), 2), axis=0)


def choose_parameters(lanes: list[LanePaths], offsets: int, eps: float) -> Parameters:
    """N and B for a frame of these lanes: the first of the cheapest candidates."""
    choices = candidates(eps)
    totals = dict.fromkeys(choices, 0)
    blocks = sorted({choice.block for choice in choices})
    for cells in sorted({choice.cells for choice in choices}):
        grid = Grid(cells, offsets, eps)
        for lane in lanes:
            tokens, depth = lane.bits.shape
            costs = block_costs(lane, grid, blocks[0])
            for block in blocks:
                if block > blocks[0]:
                    costs = merge_pairs(costs)
                _, cost = choose_offsets(costs, raw_block_costs(tokens, depth, block), offsets)
                totals[Parameters(cells, block)] += cost
    return min(choices, key=totals.__getitem__)


def encode_lane(lane: LanePaths, grid: Grid, block: int) -> bytes:
    """The stream of one lane."""
    tokens, depth = lane.bits.shape
    chosen, _ = choose_offsets(block_costs(lane, grid, block), raw_block_costs(tokens, depth, block), grid.offsets)
    of_token = np.repeat(np.array(chosen, np.int64), block)[:tokens]
    escaped = of_token == grid.offsets
    offset: Integers = np.where(escaped, 0, of_token)
    leads = grid.leads(lane.leads, offset) & ~escaped
    p_leader = grid.probability(grid.cell(lane.leader_log_odds, offset), offset).tolist()
    in_tree = np.flatnonzero(~(leads & lane.is_leader))
    rows, columns = in_tree[:, np.newaxis], offset[in_tree, np.newaxis]
    odds = np.where(leads[rows], lane.others[in_tree], lane.all[in_tree])
    p = np.where(escaped[rows], RAW_PROBABILITY, grid.probability(grid.cell(odds, columns), columns))
    is_coded = lane.coded[in_tree] | escaped[rows]
    # The decisions in the tree, and where each token's begin.
    counts = np.zeros(tokens + 1, np.int64)
    counts[in_tree + 1] = is_coded.sum(axis=1)
    starts = counts.cumsum().tolist()
    bits, probabilities = lane.bits[in_tree][is_coded].tolist(), p[is_coded].tolist()
    encoder, index = BitEncoder(), OffsetIndex(grid.offsets)
    for token, (is_led, is_leader) in enumerate(zip(leads.tolist(), lane.is_leader.tolist(), strict=True)):
        if token % block == 0:
            for bit, probability in index.decisions(chosen[token // block]):
                encoder.encode(bit, probability)
        if is_led:
            encoder.encode(int(is_leader), p_leader[token])
        for i in range(starts[token], starts[token + 1]):
            encoder.encode(bits[i], probabilities[i])
    return encoder.finish()


class LaneDecoder:
    """Decodes one lane, a token at a time.

    Raises `FormatError` when the stream ends too early or holds an id that is not in the vocabulary.
    """

    def __init__(self, stream: bytes, grid: Grid, block: int) -> None:
        self._decoder = BitDecoder(stream)
        self._grid = grid
        self._block = block
        self._index = OffsetIndex(grid.offsets)
        self._offset = 0
        self._left = 0

    def decode(self, tree: RowTree) -> int:
        """The next token, from the tree of the row that predicts it."""
        if not self._left:
            self._offset = self._index.decode(self._decoder)
            self._left = self._block
        self._left -= 1
        if self._offset == self._grid.offsets:
            return self._decode_raw(tree.vocab_size)
        probabilities, cell, decode = (
            self._grid.probabilities(self._offset),
            self._grid.scalar_cell,
            self._decoder.decode,
        )
        offset = self._offset

        def decide(log_odds: float) -> int:
            return decode(probabilities[cell(log_odds, offset) + 1])

        leads = tree.lead > 1 + self._grid.scalar_shifts[offset]
        if leads and decide(tree.leader_log_odds):
            return tree.leader
        token = tree.find(decide, with_leader=not leads)
        if leads and token == tree.leader:
            raise FormatError(f"a lane's stream holds id {token} where it says that it does not")
        return token

    def _decode_raw(self, vocab_size: int) -> int:
        token = 0
        for _ in range(tree_depth(vocab_size)):
            token = 2 * token + self._decoder.decode(RAW_PROBABILITY)
        if token >= vocab_size:
            raise FormatError(f"a lane's stream holds id {token}, the vocabulary has {vocab_size}")
        return token
