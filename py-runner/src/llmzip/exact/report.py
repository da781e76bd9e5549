"""What a check finds: rules, violations, assumptions. Owns the rules' codes and how a report reads; checks nothing."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Rule(enum.Enum):
    """The rules of exactness. Codes and numbers are stable; EXACT.md has the reasons."""

    INEXACT_OP = "inexact-op"
    INEXACT_TYPE = "inexact-type"
    SUBGRAPH = "subgraph"
    EXTERNAL_DATA = "external-data"
    FLOAT_SUM = "float-sum"
    INTEGER_OVERFLOW = "integer-overflow"
    UNSAFE_DIVISION = "unsafe-division"
    DIVISION_BY_ZERO = "division-by-zero"
    UNSAFE_SCALE = "unsafe-scale"
    SATURATING_PRODUCT = "saturating-product"
    UNSAFE_PRODUCT = "unsafe-product"
    NARROWING_CAST = "narrowing-cast"
    NOT_FINITE = "not-finite"
    FUSED_PATTERN = "fused-pattern"
    UNKNOWN_FORM = "unknown-form"
    CACHE_LENGTH = "cache-length"
    DECLARED_SHAPE = "declared-shape"

    @property
    def number(self) -> int:
        """The rule's number, from 1."""
        return list(Rule).index(self) + 1


@dataclass(frozen=True)
class Violation:
    """A node that breaks a rule; `node` and `op` are empty where it is the graph as a whole."""

    rule: Rule
    node: str
    op: str
    why: str

    def __str__(self) -> str:
        where = f"node {self.node} ({self.op})" if self.node else "the graph"
        return f"{self.rule.value} {where}: {self.why}"


@dataclass(frozen=True)
class Positions:
    """The largest number of tokens in the cache and the input together, and where it was taken from.

    `value` is None where the graph does not bound it and nobody did; `graph` is the graph's own bound, None where it has none. `part` says
    that the graph takes more tokens than `value`.
    """

    value: int | None
    source: str
    graph: int | None
    part: bool = False

    def __str__(self) -> str:
        return f"{'no bound' if self.value is None else self.value} ({self.source})"

    @property
    def extent(self) -> str:
        """What part of the graph's positions these are, in words."""
        return f"the first {self.value} positions" if self.graph is None else f"{self.value} of {self.graph} positions"


@dataclass(frozen=True)
class Report:
    """The outcome of a check.

    `unbounded` names the nodes whose float results have no bound that follows from the weights: they are taken to stay finite.
    """

    nodes: int
    positions: Positions
    violations: tuple[Violation, ...]
    unbounded: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether every rule is kept, in every context that the graph takes."""
        return not self.violations and not self.positions.part

    @property
    def summary(self) -> str:
        """The verdict in one line."""
        where = f"{self.nodes} nodes, positions: {self.positions}"
        if not self.violations:
            extent = f" for {self.positions.extent} only" if self.positions.part else ""
            return f"exact{extent}: {where}; {len(self.unbounded)} float results are taken to stay finite"
        broken = {(each.node, each.op) for each in self.violations if each.node}
        whole = sum(not each.node for each in self.violations)
        apart = f"{whole} violation{'s' if whole > 1 else ''} of the whole graph, " if whole else ""
        rules = sorted({each.rule for each in self.violations}, key=lambda rule: rule.number)
        return f"not exact: {apart}{len(broken)} of {where}; rules: {', '.join(rule.value for rule in rules)}"

    def lines(self) -> list[str]:
        """One line a violation, then the summary."""
        return [*map(str, self.violations), self.summary]

    def to_json(self) -> dict[str, Any]:
        """For machines; the shape is stable."""
        return {
            "exact": self.exact,
            "nodes": self.nodes,
            "positions": {
                "value": self.positions.value,
                "source": self.positions.source,
                "graph": self.positions.graph,
            },
            "violations": [
                {"rule": each.rule.value, "number": each.rule.number, "node": each.node, "op": each.op, "why": each.why}
                for each in self.violations
            ],
            "unbounded": list(self.unbounded),
        }
