"""Symbolic dimensions: products of a number and named lengths. Owns their algebra; knows no graph."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

BATCH, SEQUENCE, PAST, TOTAL = "batch", "sequence", "past", "total"


@dataclass(frozen=True)
class Dim:
    """`factor` times the lengths `names` (sorted). `limit` is an upper bound, None where there is none."""

    factor: int
    names: tuple[str, ...] = ()
    limit: int | None = field(default=None, compare=False)

    @property
    def known(self) -> int | None:
        """The length where it is a number."""
        return None if self.names else self.factor

    @property
    def may_be_empty(self) -> bool:
        """Whether the length may be 0: nothing is in the cache yet, or nothing is known of it."""
        return self.factor == 0 or any(name == PAST or name.startswith("?") for name in self.names)


Shape = tuple[Dim, ...]
ONE = Dim(1, (), 1)


def number(value: int) -> Dim:
    """A length that is known."""
    return Dim(value, (), value)


class Lengths:
    """The named lengths of a graph; makes new ones for what cannot be told.

    The cache and the input together never have more than `positions` tokens.
    """

    def __init__(self, positions: int | None) -> None:
        self._limits: dict[str, int | None] = {BATCH: None} | dict.fromkeys((SEQUENCE, PAST, TOTAL), positions)
        self._fresh: Iterator[int] = itertools.count()

    def named(self, name: str) -> Dim:
        """A length by its name: one of the four, or one that was unknown before."""
        return Dim(1, (name,), self._limits[name])

    def unknown(self, limit: int | None = None) -> Dim:
        """A length of its own."""
        name = f"?{next(self._fresh)}"
        self._limits[name] = limit
        return self.named(name)

    def sum(self, a: Dim, b: Dim) -> Dim | None:
        """`a + b` where it can be told: not where a negative number is added, for what is left may be none."""
        if min(a.factor, b.factor) < 0:
            return number(a.factor + b.factor) if not a.names and not b.names else None
        if a.factor == 0 or b.factor == 0:
            return b if a.factor == 0 else a
        limit = None if a.limit is None or b.limit is None else a.limit + b.limit
        if a.names == b.names:
            return Dim(a.factor + b.factor, a.names, limit)
        if a.factor == b.factor == 1 and {a.names, b.names} == {(PAST,), (SEQUENCE,)}:
            return self.named(TOTAL)
        return self.unknown(limit)

    def difference(self, a: Dim, b: Dim) -> Dim | None:
        """`a - b` where it can be told."""
        if b.factor == 0:
            return a
        if a.names == b.names:
            return number(a.factor - b.factor) if not a.names or a.factor == b.factor else None
        if a.factor == b.factor == 1 and a.names == (TOTAL,):
            for part, rest in ((PAST, SEQUENCE), (SEQUENCE, PAST)):
                if b.names == (part,):
                    return self.named(rest)
        return None

    def product(self, dims: Iterable[Dim]) -> Dim:
        """All of them multiplied."""
        factor, names, limit = 1, Counter[str](), 1
        bounded = True
        for dim in dims:
            factor *= dim.factor
            names.update(dim.names)
            bounded = bounded and dim.limit is not None
            limit *= dim.limit or 0
        return Dim(factor, tuple(sorted(names.elements())), limit if bounded else None)

    def quotient(self, whole: Iterable[Dim], parts: Iterable[Dim]) -> Dim:
        """What is left of a product when `parts` are taken out of it; an unknown length where they do not divide it."""
        over, under = Counter[str](), Counter[str]()
        above, below = 1, 1
        for dim in whole:
            above *= dim.factor
            over.update(dim.names)
        for dim in parts:
            below *= dim.factor
            under.update(dim.names)
        if under - over or below == 0 or above % below:
            return self.unknown()
        return self.product([number(above // below), *map(self.named, (over - under).elements())])

    def broadcast(self, shapes: Iterable[Shape | None]) -> Shape | None:
        """The common shape of element-wise operands, None where one of them has no known rank."""
        known = list(shapes)
        if any(shape is None for shape in known):
            return None
        ranked = [shape for shape in known if shape is not None]
        rank = max(map(len, ranked), default=0)
        padded = [(ONE,) * (rank - len(shape)) + shape for shape in ranked]
        return tuple(self._common(column) for column in zip(*padded, strict=True))

    def _common(self, dims: tuple[Dim, ...]) -> Dim:
        distinct = {dim for dim in dims if dim != ONE}
        if not distinct:
            return ONE
        fixed = [dim for dim in distinct if dim.known is not None]
        if fixed:
            return fixed[0]
        if len(distinct) == 1:
            return next(dim for dim in dims if dim != ONE)
        limits = [dim.limit for dim in distinct]
        bounds = [limit for limit in limits if limit is not None]
        return self.unknown(max(bounds) if len(bounds) == len(limits) else None)
