"""Real exact graphs pass, broken ones do not. Owns the promise that the checker names the node each time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from llmzip.exact import OPS, Rule, check
from llmzip.model.exactness import EXACT_OPS
from quantize import llama
from support.paths import REPOSITORY

from . import graphs, number_edits
from .breaks import BREAKS, Break

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = {
    "llama": graphs.SIZES,
    "untied": llama.Sizes(vocab=128, hidden=96, inner=32, layers=3, heads=4, kv_heads=4, head_dim=32, tied=False),
    "long rows": llama.Sizes(hidden=2048, inner=64, layers=1),
    "mistral": llama.Sizes(family="mistral", window=5),
    "qwen2": llama.Sizes(family="qwen2"),
    "qwen3": llama.Sizes(family="qwen3", head_dim=32),
}


@pytest.mark.parametrize("sizes", FAMILIES.values(), ids=FAMILIES)
def test_what_the_exporter_builds_is_exact(tmp_path: Path, sizes: llama.Sizes) -> None:
    report = check(graphs.build(tmp_path, sizes))
    assert report.lines() == [report.summary]
    assert report.exact
    assert (report.positions.value, report.positions.source) == (sizes.positions, "from cos_table")


def test_what_is_taken_to_stay_finite_is_told(exact: bytes) -> None:
    report = check(exact)
    nodes = {node.name for node in graphs.Edited(exact).graph.node}
    assert 0 < len(report.unbounded) < len(nodes) / 10
    assert set(report.unbounded) <= nodes


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_the_node_that_breaks_a_rule_is_named(exact: bytes, broken: Break) -> None:
    edited = graphs.Edited(exact)
    name = broken.edit(edited)
    report = check(edited.content)
    assert not report.exact
    named = [each for each in report.violations if (each.rule, each.node) == (broken.rule, name)]
    assert named, report.lines()
    assert broken.why in named[0].why
    op = next(node.op_type for node in edited.graph.node if node.name == name)
    assert named[0].op.endswith(op)
    # A fault is told at its origin, not at all that comes after it.
    assert len(report.violations) <= 3, report.lines()


def test_every_rule_is_broken_by_a_graph() -> None:
    forms = {Rule.UNKNOWN_FORM}  # those have tests of their own
    assert {broken.rule for broken in BREAKS.values()} == set(Rule) - forms


def test_every_fault_is_told_when_there_are_several(exact: bytes) -> None:
    edited = graphs.Edited(exact)
    chosen = ("exp", "weights of 127", "1 / y", "added zero")
    names = {BREAKS[each].edit(edited) for each in chosen}
    assert {each.node for each in check(edited.content).violations} >= names


def test_the_ops_are_those_that_runners_know() -> None:
    assert set(OPS) == EXACT_OPS


def weights_at(exact: bytes, pairs: dict[int, int]) -> bytes:
    edited = graphs.Edited(exact)
    node = edited.find("MatMulInteger", lambda each: edited.constant(each.input[1]) is not None)
    weights = edited.constant(node.input[1])
    assert weights is not None
    weights = np.clip(weights, -60, 60)
    for row, weight in pairs.items():
        weights[row, 3] = weight
    edited.replace_constant(node.input[1], weights)
    return edited.content


@pytest.mark.parametrize(
    ("pairs", "safe"),
    [
        ({2: 64, 3: 64}, True),
        ({2: 68, 3: -60}, True),
        ({2: 69, 3: -60}, False),
        ({2: 127}, False),
        ({2: -65, 3: 64}, False),
    ],
)
def test_pairs_of_weights_to_the_last_unit(exact: bytes, pairs: dict[int, int], safe: bool) -> None:
    """255 * 128 is 32,640; 255 * 129 is more than 16 bits hold."""
    report = check(weights_at(exact, pairs))
    assert report.exact == safe
    assert {each.rule for each in report.violations} <= {Rule.SATURATING_PRODUCT}


@pytest.mark.parametrize(("positions", "safe"), [(33_025, True), (33_026, False)])
def test_the_context_to_the_last_token(exact: bytes, positions: int, safe: bool) -> None:
    """255 * 255 * 33,025 is the largest such product that int32 holds."""
    edited = graphs.Edited(exact)
    number_edits.lengthen(edited, positions)
    report = check(edited.content)
    assert report.exact == safe
    assert str(report.positions) == f"{positions} (from cos_table)"


def largest_sum(addends: int) -> bytes:
    """A graph that sums the squares of bytes around 128, times 2^-3, as float32."""

    def described(name: str, kind: int, *shape: int) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    nodes = [
        helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["x"], name="x"),
        helper.make_node("Mul", ["x", "x"], ["square"], name="square"),
        helper.make_node("ReduceSum", ["square", "axes"], ["sum"], name="sum"),
    ]
    constants = {"scale": np.float32(0.125), "zero": np.uint8(128), "axes": np.array([-1])}
    graph = helper.make_graph(
        nodes,
        "sums",
        [described("bytes", TensorProto.UINT8, 2, addends)],
        [described("sum", TensorProto.FLOAT, 2, 1)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    content: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)]).SerializeToString()
    return content


@pytest.mark.parametrize(("addends", "safe"), [(1023, True), (1024, False)])
def test_sums_of_floats_to_the_last_addend(addends: int, safe: bool) -> None:
    """1,024 squares of 128 are 2^24 units."""
    report = check(largest_sum(addends))
    assert [each.node for each in report.violations] == ([] if safe else ["sum"])


def test_the_rules_are_those_of_the_document() -> None:
    text = (REPOSITORY / "EXACT.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert codes == [rule.value for rule in Rule]
    listed = text.partition("### The ops\n")[2].partition(";")[0]
    assert {op.strip() for op in listed.split(",")} == set(OPS)
