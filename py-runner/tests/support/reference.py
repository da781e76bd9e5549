"""The codec again, slowly: one bit, one decision, one offset at a time, as FORMAT.md words it, without a line of the package's."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from pathlib import Path

TABLE_FILE = Path(__file__).parents[3] / "golden" / "codec" / "probability_table.bin"
TABLE = [int.from_bytes(TABLE_FILE.read_bytes()[i : i + 2], "little") for i in range(0, 8192, 2)]
Step = tuple[int, float]
LADDER = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048]


class Encoder:
    def __init__(self) -> None:
        self.low, self.high, self.pending = 0, 0xFFFFFFFF, 0
        self.bits: list[int] = []

    def put(self, bit: int) -> None:
        self.bits += [bit] + [1 - bit] * self.pending
        self.pending = 0

    def encode(self, bit: int, p: int) -> None:
        r = self.high - self.low
        split = self.low + (r >> 16) * p + (((r & 0xFFFF) * p) >> 16)
        if bit:
            self.high = split
        else:
            self.low = split + 1
        while True:
            if self.high < 0x80000000:
                self.put(0)
            elif self.low >= 0x80000000:
                self.put(1)
                self.low -= 0x80000000
                self.high -= 0x80000000
            elif self.low >= 0x40000000 and self.high < 0xC0000000:
                self.pending += 1
                self.low -= 0x40000000
                self.high -= 0x40000000
            else:
                return
            self.low, self.high = self.low << 1, (self.high << 1) | 1

    def finish(self) -> bytes:
        self.put(1)
        self.bits += [0] * (-len(self.bits) % 8)
        return bytes(int("".join(map(str, self.bits[i : i + 8])), 2) for i in range(0, len(self.bits), 8))


@cache
def bit_cost(p: int) -> int:
    x, n = p, 1
    while x < 32768:
        x, n = 2 * x, n + 1
    f = 0
    for _ in range(16):
        x, f = (x * x) >> 15, 2 * f
        if x >= 65536:
            x, f = x >> 1, f + 1
    return n * 65536 - f


class Adaptive:
    def __init__(self) -> None:
        self.n = [0, 0]

    @property
    def p(self) -> int:
        return ((self.n[1] + 2) * 65536) // (sum(self.n) + 4)

    def update(self, bit: int) -> None:
        self.n[bit] += 1
        if sum(self.n) == 255:
            self.n = [self.n[0] // 2, self.n[1] // 2]


def weights(row: list[float]) -> list[float]:
    m = max(row)
    return [math.exp(max(v - m, -600)) for v in row]


def leader(row: list[float]) -> tuple[int, float, float]:
    """The leader's id, its lead, and its log-odds against all others."""
    first = row.index(max(row))
    others = [i for i in range(len(row)) if i != first]
    return first, row[first] - max(row[i] for i in others), -math.log(math.fsum(weights(row)[i] for i in others))


def decisions(row: list[float], token: int, without: int | None = None) -> list[tuple[int, float] | None]:
    """Bit and log-odds of each decision in the tree, of all ids or without one; None where nothing is coded."""
    size = len(row)
    depth = 0
    while 2**depth < size:
        depth += 1
    leaves = weights(row) + [0.0] * (2**depth - size)
    if without is not None:
        leaves[without] = 0.0
    levels = [leaves]
    while len(levels[0]) > 1:
        levels.insert(0, [levels[0][i] + levels[0][i + 1] for i in range(0, len(levels[0]), 2)])
    out: list[tuple[int, float] | None] = []
    for d in range(depth):
        q = token >> (depth - d)
        if (2 * q + 1) << (depth - 1 - d) >= size:
            out.append(None)
        else:
            right, left = levels[d + 1][2 * q + 1], levels[d + 1][2 * q]
            v = math.log(max(right, 2.0**-1000)) - math.log(max(left, 2.0**-1000))
            out.append(((token >> (depth - 1 - d)) & 1, v))
    return out


@cache
def known(row: tuple[float, ...], token: int) -> tuple[int, float, float, list[Step], list[Step]]:
    """A row's leader, lead and log-odds, and the token's decisions without the leader and in the tree of all ids."""
    first, lead, odds = leader(list(row))
    without = [] if token == first else [step for step in decisions(list(row), token, first) if step]
    return first, lead, odds, without, [step for step in decisions(list(row), token) if step]


@cache
def position(v: float) -> float:
    return (2 / math.pi) * math.atan(math.exp(min(max(v, -30), 30) / 3))


class Grid:
    def __init__(self, cells: int, eps: float) -> None:
        self.cells, self.eps, self.guard = cells, eps, 2 * eps + 2.0**-30

    def cell(self, v: float, k: int) -> int:
        return math.floor(self.cells * position(v) - ((k * 40503) % 65536) / 65536)

    def is_safe(self, v: float, k: int, guard: float) -> bool:
        return self.cell(v - guard, k) == self.cell(v + guard, k)

    def leader_guard(self, v: float) -> float:
        if self.eps > 0.25:
            return self.guard
        return min(2 * self.eps, self.eps + self.eps * (1 + 4 * self.eps) * math.exp(-abs(v))) + 2.0**-30

    def steps(self, row: list[float], token: int, k: int) -> list[tuple[int, float, bool]]:
        """Bit, log-odds and safety of every decision that codes a token under an offset."""
        first, lead, odds, without, every = known(tuple(row), token)
        threshold = 1 + ((k * 40503) % 65536) / 65536
        certain = abs(lead - threshold) > self.guard
        if lead > threshold:
            out = [(int(token == first), odds, certain and self.is_safe(odds, k, self.leader_guard(odds)))]
            tree = without
        else:
            out, tree = [], every
        out += [(bit, v, certain and self.is_safe(v, k, self.guard)) for bit, v in tree]
        return out

    def probability(self, c: int, k: int) -> int:
        return probability(self.cells, c, k)


@cache
def probability(cells: int, c: int, k: int) -> int:
    """Through the middle of the cell as an exact fraction."""
    low = min(max(Fraction(c) + Fraction((k * 40503) % 65536, 65536), Fraction(0)), Fraction(cells))
    high = min(max(Fraction(c + 1) + Fraction((k * 40503) % 65536, 65536), Fraction(0)), Fraction(cells))
    middle = (low + high) / 2 / cells
    return TABLE[min(math.floor(middle * 4096), 4095)]


def offset_steps(k: int, adaptive: list[Adaptive]) -> list[tuple[int, int]]:
    steps = []
    for i in range(min(k + 1, len(adaptive))):
        steps.append((int(i < k), adaptive[i].p))
    return steps


def lane(
    rows: list[list[float]], ids: list[int], offsets: int, eps: float, cells: int, block: int
) -> tuple[bytes, int]:
    """Stream and cost of a lane."""
    grid, encoder = Grid(cells, eps), Encoder()
    adaptive = [Adaptive() for _ in range(offsets)]
    depth = len(decisions(rows[0], ids[0]))
    total = 0
    for start in range(0, len(ids), block):
        tokens = list(zip(rows[start : start + block], ids[start : start + block], strict=True))
        best_k, best_cost, best_steps = -1, -1, []
        for k in range(offsets + 1):
            cost = sum(bit_cost(p if bit else 65536 - p) for bit, p in offset_steps(k, adaptive))
            if k == offsets:
                cost += 65536 * depth * len(tokens)
                coded = [((token >> (depth - 1 - d)) & 1, 32768) for _, token in tokens for d in range(depth)]
            else:
                steps = [step for row, token in tokens for step in grid.steps(row, token, k)]
                if not all(safe for _, _, safe in steps):
                    continue
                coded = [(bit, grid.probability(grid.cell(v, k), k)) for bit, v, _ in steps]
                cost += sum(bit_cost(p if bit else 65536 - p) for bit, p in coded)
            if best_k < 0 or cost < best_cost:
                best_k, best_cost, best_steps = k, cost, coded
        total += best_cost
        for i, (bit, p) in enumerate(offset_steps(best_k, adaptive)):
            encoder.encode(bit, p)
            adaptive[i].update(bit)
        for bit, p in best_steps:
            encoder.encode(bit, p)
    return encoder.finish(), total


def choose(lanes: list[tuple[list[list[float]], list[int]]], offsets: int, eps: float) -> tuple[int, int]:
    """N and B of a frame."""
    place = 0
    while place < len(LADDER) - 1 and LADDER[place] ** 3 * eps < 1:
        place += 1
    blocks = [4, 8, 16, 32, 64] if LADDER[place] <= 12 else [64, 128, 256, 512, 1024, 2048, 4096]
    best = None
    for cells in LADDER[max(place - 1, 0) : place + 2]:
        for block in blocks:
            cost = sum(lane(rows, ids, offsets, eps, cells, block)[1] for rows, ids in lanes)
            if best is None or cost < best[0]:
                best = (cost, cells, block)
    assert best is not None
    return best[1], best[2]
