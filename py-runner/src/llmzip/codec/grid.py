"""Grids of log-odds (FORMAT.md section 6) and what bits cost on them.

Owns cells, offsets and probabilities; knows nothing of tokens or streams. Log-odds are in nats; floats may be numbers or arrays.
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Index = TypeVar("Index", int, Integers)

TABLE_ENTRIES = 4096
TWO_OVER_PI = 2 / math.pi
# Covers what exp, ln, atan and the order of summation may differ by between two machines.
SLACK = 2.0**-30
# Log-odds beyond this are taken as this: the probabilities end long before, and binary64 resolves no positions beyond.
LIMIT = 30.0


@cache
def probability_table() -> Integers:
    """The 4096 probabilities of bit 1, in 65536ths."""
    content = resources.files("llmzip.codec").joinpath("probability_table.bin").read_bytes()
    table = np.frombuffer(content, dtype="<u2").astype(np.int64)
    table.flags.writeable = False
    return table


def bit_cost(p: Integers) -> Integers:
    """Cost of an event of probability `p` 65536ths, in 2^-16 bits."""
    x, n = p.copy(), np.ones_like(p)
    while (small := x < 32768).any():
        x[small] *= 2
        n[small] += 1
    f = np.zeros_like(p)
    for _ in range(16):
        x, f = (x * x) >> 15, 2 * f
        large = x >= 65536
        x[large] >>= 1
        f[large] += 1
    return n * 65536 - f


@cache
def bit_costs() -> Integers:
    """`bit_cost(p)` for every `p` from 1 to 65535, by index; entry 0 is unused."""
    costs = np.zeros(65536, np.int64)
    costs[1:] = bit_cost(np.arange(1, 65536))
    costs.flags.writeable = False
    return costs


def offset_numerator(k: Index) -> Index:
    """Numerator of offset `k`, in 65536ths of a cell."""
    return (k * 40503) % 65536


def position(v: Floats) -> Floats:
    """Place of log-odds on the axis on which cells are equally wide, 0 .. 1."""
    place: Floats = TWO_OVER_PI * np.arctan(np.exp(np.minimum(np.maximum(v, -LIMIT), LIMIT) / 3))
    return place


def guard_of(eps: float) -> float:
    """How far the log-odds of a reader within `eps` may lie from the writer's."""
    return 2 * eps + SLACK


class Grid:
    """A grid of `cells` cells that can be shifted by `offsets` offsets and withstands differences of `eps` nats."""

    def __init__(self, cells: int, offsets: int, eps: float) -> None:
        self.cells = cells
        self.offsets = offsets
        self.eps = eps
        self.guard = guard_of(eps)
        self.shifts = np.array([offset_numerator(k) / 65536 for k in range(offsets)])
        # The same as numbers, for one token at a time.
        self.scalar_shifts: list[float] = self.shifts.tolist()
        self._rows: dict[int, list[int]] = {}
        self._costs: Integers | None = None

    def cell(self, v: Floats, k: int | Integers) -> Integers:
        """Cell of log-odds under offset `k`, -1 .. cells."""
        cells: Integers = np.floor(self.cells * position(v) - self.shifts[k]).astype(np.int64)
        return cells

    def is_safe(self, v: Floats, k: int | Integers, guard: float | Floats) -> npt.NDArray[np.bool_]:
        """Whether every reader whose log-odds lie within `guard` finds the same cell."""
        safe: npt.NDArray[np.bool_] = self.cell(v - guard, k) == self.cell(v + guard, k)
        return safe

    def leader_guard(self, v: Floats) -> Floats:
        """How far a reader's log-odds of the leader may lie from the writer's."""
        if self.eps > 0.25:
            return np.full_like(v, self.guard)
        near: Floats = self.eps + self.eps * (1 + 4 * self.eps) * np.exp(-np.abs(v))
        return np.minimum(2 * self.eps, near) + SLACK

    def leads(self, lead: Floats, k: int | Integers) -> npt.NDArray[np.bool_]:
        """Whether a row with this lead has its token coded as leader or not, under offset `k`."""
        ahead: npt.NDArray[np.bool_] = lead > 1 + self.shifts[k]
        return ahead

    def leads_safely(self, lead: Floats, k: int | Integers) -> npt.NDArray[np.bool_]:
        """Whether every reader within eps finds the same of `leads`, and the same leader."""
        safely: npt.NDArray[np.bool_] = np.abs(lead - (1 + self.shifts[k])) > self.guard
        return safely

    def probability_index(self, c: int | Integers, k: int | Integers) -> Integers:
        """Index into the table of the middle of cell `c`."""
        low = np.asarray(c, np.int64) * 65536 + offset_numerator(np.asarray(k, np.int64))
        edge = self.cells * 65536
        middle: Integers = (np.clip(low, 0, edge) + np.clip(low + 65536, 0, edge)) // (32 * self.cells)
        return np.minimum(middle, TABLE_ENTRIES - 1)

    def probability(self, c: int | Integers, k: int | Integers) -> Integers:
        """Probability of bit 1 in cell `c`, in 65536ths."""
        return probability_table()[self.probability_index(c, k)]

    def probabilities(self, k: int) -> list[int]:
        """`probability(c, k)` for all cells, as numbers; entry 0 is cell -1."""
        row = self._rows.get(k)
        if row is None:
            row = self._rows[k] = self.probability(np.arange(-1, self.cells + 1), k).tolist()
        return row

    def scalar_cell(self, v: float, k: int) -> int:
        """`cell` of one number, without the cost of an array."""
        v = -LIMIT if v < -LIMIT else LIMIT if v > LIMIT else v
        place = TWO_OVER_PI * math.atan(math.exp(v / 3))
        return math.floor(self.cells * place - self.scalar_shifts[k])

    def costs(self) -> Integers:
        """What bit 0 and bit 1 cost in all cells and under all offsets, in 2^-16 bits, `[2, cells + 2, offsets]`; row 0 is cell -1."""
        if self._costs is None:
            p = self.probability(np.arange(-1, self.cells + 1)[:, np.newaxis], np.arange(self.offsets))
            self._costs = bit_costs()[np.stack([65536 - p, p])]
        return self._costs
