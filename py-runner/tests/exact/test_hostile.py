"""Graphs that nobody would build are judged too, and in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from onnx import TensorProto, helper

from llmzip.exact import Rule, check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnx import NodeProto


def graph(nodes: Sequence[NodeProto], kinds: dict[str, int], outputs: dict[str, int]) -> bytes:
    """A model of some nodes; tensors are [1, sequence]."""
    info = {
        name: helper.make_tensor_value_info(name, kind, [1, "sequence"]) for name, kind in {**kinds, **outputs}.items()
    }
    made = helper.make_graph(nodes, "hostile", [info[name] for name in kinds], [info[name] for name in outputs])
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString())


@pytest.mark.parametrize("length", [60, 3000])
def test_a_chain_of_maxima_is_walked_once(length: int) -> None:
    nodes = [helper.make_node("Max", [f"m{i}", f"m{i}"], [f"m{i + 1}"], f"max{i}") for i in range(length)]
    nodes.append(helper.make_node("Div", ["x", f"m{length}"], ["logits"], "div"))
    report = check(graph(nodes, {"x": TensorProto.FLOAT, "m0": TensorProto.FLOAT}, {"logits": TensorProto.FLOAT}))
    assert not report.exact
    assert any(each.node == "div" for each in report.violations)


def test_a_cache_that_changes_its_type_is_refused() -> None:
    past, present = "past_key_values.0.key", "present.0.key"
    nodes = [
        helper.make_node("Cast", [past], ["wide"], "cast", to=TensorProto.INT64),
        helper.make_node("Add", ["wide", "wide"], [present], "add"),
    ]
    report = check(graph(nodes, {past: TensorProto.UINT8}, {present: TensorProto.INT64}))
    assert not report.exact
    assert any(each.rule is Rule.UNKNOWN_FORM and "another type" in each.why for each in report.violations)


def test_a_gather_without_outputs_is_no_table_of_positions() -> None:
    table = helper.make_node("Constant", [], ["table"], "constant", value_ints=[1, 2, 3])
    gather = helper.make_node("Gather", ["table", "position_ids"], [], "gather")
    same = helper.make_node("Identity", ["position_ids"], ["logits"], "identity")
    report = check(graph([table, gather, same], {"position_ids": TensorProto.INT64}, {"logits": TensorProto.INT64}))
    assert report.positions.value is None
