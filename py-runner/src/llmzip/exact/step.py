"""One node under judgement. Owns what a rule may ask of it and how it tells what it found; knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .graph import Graph, Node
from .ranges import FLOAT_MAX, Range, cut
from .report import Rule, Violation
from .shapes import Lengths, Shape
from .values import FLOAT, UNDEFINED, Value, full_range


@dataclass
class Findings:
    """What a pass over the graph has found."""

    violations: list[Violation] = field(default_factory=list)
    unbounded: list[str] = field(default_factory=list)


@dataclass
class Step:
    """A node with what is known of its inputs (None for one that is left out)."""

    graph: Graph
    node: Node
    values: dict[str, Value]
    lengths: Lengths
    cache: dict[object, Any]
    findings: Findings
    broken: bool = False

    @property
    def inputs(self) -> list[Value | None]:
        """What is known of the inputs, in their order."""
        return [self.values[name] if name else None for name in self.node.inputs]

    @property
    def present(self) -> list[Value]:
        """The inputs that are not left out."""
        return [value for value in self.inputs if value is not None]

    def input(self, index: int) -> Value | None:
        """An input, None if it is left out."""
        inputs = self.inputs
        return inputs[index] if index < len(inputs) else None

    def required(self, index: int) -> Value:
        """An input that must be there; one of which nothing is known in its place, and a violation, if it is not."""
        value = self.input(index)
        if value is None:
            self.violate(Rule.UNKNOWN_FORM, f"its input {index} is missing")
            return Value(UNDEFINED, None, full_range(FLOAT), tainted=True)
        return value

    @property
    def tainted(self) -> bool:
        """Whether an input comes out of a node that breaks a rule: nothing can be proved of it then."""
        return any(value.tainted for value in self.present)

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute."""
        value = self.node.attributes.get(name)
        return default if value is None else value

    def violate(self, rule: Rule, why: str) -> None:
        """The node breaks a rule whatever its inputs are."""
        self.broken = True
        self.findings.violations.append(Violation(rule, self.node.name, self.node.label, why))

    def unproved(self, rule: Rule, why: str) -> None:
        """It cannot be shown of the node that it keeps a rule; said once, at the first node of a chain."""
        if self.tainted:
            self.broken = True
        else:
            self.violate(rule, why)

    def result(
        self, kind: int, shape: Shape | None, bounds: Range, unit: int | None = None, attains: Range | None = None
    ) -> Value:
        """An output; its range is held to what float32 can have."""
        if kind == FLOAT:
            bounds = self._finite(bounds)
            attains = attains and cut(attains, -FLOAT_MAX, FLOAT_MAX)
        return Value(kind, shape, bounds, unit, attains)

    def _finite(self, bounds: Range) -> Range:
        if bounds.magnitude <= FLOAT_MAX:
            return bounds
        if bounds.loose:
            self.findings.unbounded.append(self.node.name)
        else:
            self.unproved(Rule.NOT_FINITE, f"it can exceed float32: its bounds are {bounds.lo:.6g} and {bounds.hi:.6g}")
        return replace(cut(bounds, -FLOAT_MAX, FLOAT_MAX), loose=True)


Transfer = Callable[[Step], Sequence[Value]]
"""What is known of a node's outputs, from what is known of its inputs; rules that the node breaks are told to the step."""
