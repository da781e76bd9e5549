"""The checker: one pass over the nodes after the other, until what is known of the cache holds for every run.

Owns the order of things and the checks that every node gets; the ops' own rules are in the modules of their kind.

What is proved of a graph without violations, for inputs within the contract (`contract`):

- every op is one that IEEE 754 and the ONNX standard leave no freedom, on types without freedom;
- no integer leaves its type, in any order of summation, with zero points or without, nor saturates where pairs are added in 16 bits;
- every float sum is of integers (times a power of two) that float32 holds, with all partial sums;
- no cast leaves its type, no divisor is 0, no root is of a negative number;
- types and shapes that the file declares are those that tensors have.

What is not proved: that plans agree. Every node of a graph may be exact, and its logits depend on how a text is cut into passes, or on
the lanes beside it; of this only the length of the cache is looked at. `quantize.exact.trial` runs a graph to see it.

What is assumed:

- engines do element-wise float32 arithmetic by IEEE 754, subnormal numbers included, and contract nothing (no fused multiply-add);
- float results that the weights do not bound (those of the residual stream above all) stay finite, and divisors do not underflow
  to 0. The report names the results. Where bounds follow from constants or integers by a chain of ops with one operand that is not
  constant, they can be reached, and overflow is a violation;
- 0 and -0 count as the same: maxima of both may be either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmzip.errors import InternalError

from .casts import CASTS
from .contract import caches, describe_input, find_positions, wrong_growth
from .declared import wrong_declarations
from .elementwise import ELEMENTWISE
from .fusion import fused_pattern
from .graph import Graph, read_graph
from .products import PRODUCTS
from .ranges import union
from .reductions import REDUCTIONS
from .report import Positions, Report, Rule, Violation
from .shapes import Lengths
from .step import Findings, Step, Transfer
from .structure import STRUCTURE
from .values import FLOAT, KIND_NAMES, KINDS, UNDEFINED, Value, full_range, of_constant

OPS: dict[str, Transfer] = CASTS | ELEMENTWISE | PRODUCTS | REDUCTIONS | STRUCTURE
"""The ops of exact graphs, with what each does to what is known."""
_OPSETS = range(13, 23)
_PASSES_BEFORE_WIDENING = 4


def check(model: bytes, positions: int | None = None) -> Report:
    """Check an ONNX file; with `positions` for contexts of so many tokens only, which is no proof of the whole graph unless it has no more.

    Raises `ModelError` when it is no ONNX file, or one whose nodes cannot be run in their order; `UsageError` when it has fewer positions.
    """
    graph = read_graph(model)
    bound = find_positions(graph, positions)
    _, findings = _Checker(graph, bound).run()
    violations = [*_of_the_whole(graph), *findings.violations]
    return Report(len(graph.nodes), bound, tuple(violations), tuple(dict.fromkeys(findings.unbounded)))


def describe(model: bytes, positions: int | None = None) -> dict[str, Value]:
    """What is known of every tensor of an ONNX file, by its name; as `check` otherwise."""
    graph = read_graph(model)
    return _Checker(graph, find_positions(graph, positions)).run()[0]


def _of_the_whole(graph: Graph) -> list[Violation]:
    found = []
    if graph.opset not in _OPSETS:
        found.append((Rule.UNKNOWN_FORM, f"opset {graph.opset} is not one of {_OPSETS[0]} to {_OPSETS[-1]}"))
    if graph.has_functions:
        found.append((Rule.SUBGRAPH, "it has functions of its own, which may stand for any op"))
    if graph.has_sparse:
        found.append((Rule.EXTERNAL_DATA, "it has sparse constants, which are not read"))
    return [Violation(rule, "", "", why) for rule, why in found]


class _Checker:
    """Passes over one graph."""

    def __init__(self, graph: Graph, positions: Positions) -> None:
        self._graph = graph
        self._positions = positions
        self._lengths = Lengths(positions.value)
        self._columns: dict[object, object] = {}
        self._constants = {
            name: Value(constant.kind, None, full_range(FLOAT), tainted=True)
            if constant.array is None
            else of_constant(constant.kind, constant.array)
            for name, constant in graph.constants.items()
        }

    def run(self) -> tuple[dict[str, Value], Findings]:
        """Find what holds of the cache whatever was run before, and with it what holds of all tensors."""
        pairs = caches(self._graph)
        past: dict[str, Value] = {}
        for name in pairs:
            value = describe_input(self._graph, name, self._lengths, self._positions)
            past[name] = replace(value, absent=True)
        passes = 0
        while True:
            values, findings = self._pass(past)
            grown = {name: values[present] for name, present in pairs.items()}
            changed = [name for name, present in grown.items() if present.kind != past[name].kind]
            if changed:
                # What is fed back would have to be converted by the runner, and what holds of it would never settle.
                why = f"{changed[0]} is fed from an output of another type"
                findings.violations.append(Violation(Rule.UNKNOWN_FORM, "", "", why))
                return values, findings
            stable = True
            for name, present in grown.items():
                if not past[name].absent and present.range.within(past[name].range):
                    continue
                stable = False
                widen = present.absent or passes >= _PASSES_BEFORE_WIDENING
                known = present.range if past[name].absent else union(past[name].range, present.range)
                bounds = full_range(past[name].kind) if widen else known
                past[name] = replace(past[name], range=bounds, absent=False)
            if stable:
                doubted = any(value.tainted for name, value in values.items() if name not in self._constants)
                if doubted and not findings.violations:
                    raise InternalError("a node was refused without a reason")
                findings.violations.extend(self._grown_wrongly(pairs, past, values))
                findings.violations.extend(self._declared_wrongly(values))
                return values, findings
            passes += 1

    def _grown_wrongly(
        self, pairs: dict[str, str], past: dict[str, Value], values: dict[str, Value]
    ) -> Iterator[Violation]:
        for name, output in pairs.items():
            maker = self._graph.maker(output)
            why = wrong_growth(self._graph, name, past[name], values[output], self._lengths)
            # Of what comes out of a node that breaks a rule no shape is known.
            if why is not None and not values[output].tainted:
                yield Violation(Rule.CACHE_LENGTH, maker.name if maker else "", maker.label if maker else "", why)

    def _declared_wrongly(self, values: dict[str, Value]) -> Iterator[Violation]:
        for name, why in wrong_declarations(self._graph, values):
            maker = self._graph.maker(name)
            yield Violation(Rule.DECLARED_SHAPE, maker.name if maker else "", maker.label if maker else "", why)

    def _pass(self, past: dict[str, Value]) -> tuple[dict[str, Value], Findings]:
        values = dict(self._constants)
        for name in self._graph.inputs:
            values[name] = past.get(name) or describe_input(self._graph, name, self._lengths, self._positions)
        findings = Findings()
        for node in self._graph.nodes:
            step = Step(self._graph, node, values, self._lengths, self._columns, findings)
            results = self._judged(step)
            fixed = all(value.fixed for value in step.present)
            for name, value in zip(node.outputs, results, strict=True):
                values[name] = replace(value, fixed=fixed, tainted=value.tainted or step.broken)
        return values, findings

    def _judged(self, step: Step) -> Sequence[Value]:
        node = step.node
        _check_node(self._graph, step)
        transfer = OPS.get(node.op)
        if transfer is None or step.broken:
            return [_NOTHING_KNOWN] * len(node.outputs)
        try:
            results = list(transfer(step))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # Files may have any attributes and shapes: what an op's own rules cannot make sense of is refused.
            step.violate(Rule.UNKNOWN_FORM, f"its inputs and attributes are not those that {node.op} must have")
            return [_NOTHING_KNOWN] * len(node.outputs)
        if len(results) != len(node.outputs):
            step.violate(Rule.UNKNOWN_FORM, f"it has {len(node.outputs)} outputs, not {len(results)}")
            return [_NOTHING_KNOWN] * len(node.outputs)
        # What is not known to be right is said once, at its origin.
        step.broken = step.broken or step.tainted
        results = [replace(value, attains=None) if value.may_have_empty_rows else value for value in results]
        if node.op != "Concat" and any(value.absent for value in step.present):
            # Of a cache that is not there yet comes nothing that is.
            return [replace(value, absent=True) for value in results]
        return results


_NOTHING_KNOWN = Value(UNDEFINED, None, full_range(FLOAT), tainted=True)


def _check_node(graph: Graph, step: Step) -> None:
    """The rules for every op."""
    node = step.node
    if node.has_subgraph:
        step.violate(Rule.SUBGRAPH, "it has a graph of its own")
    if node.domain or node.op not in OPS:
        step.violate(Rule.INEXACT_OP, "it is not one of the ops of exact graphs")
    if any(constant.external for constant in node.constants.values()):
        step.violate(Rule.EXTERNAL_DATA, "its value is in another file")
    for name in node.inputs:
        _check_input(graph, step, name)
    pattern = fused_pattern(graph, node)
    if pattern is not None:
        step.violate(Rule.FUSED_PATTERN, pattern)


def _check_input(graph: Graph, step: Step, name: str) -> None:
    if not name:
        return
    constant = graph.constants.get(name)
    value = step.values[name]
    if constant is not None and constant.external:
        step.violate(Rule.EXTERNAL_DATA, f"its input {name} is in another file")
    elif value.kind not in KINDS and (constant is not None or not value.tainted):
        step.violate(Rule.INEXACT_TYPE, f"its input {name} is {KIND_NAMES.get(value.kind, value.kind)}")
    elif constant is not None and value.range.magnitude == float("inf"):
        step.violate(Rule.NOT_FINITE, f"its constant {name} is not finite")
