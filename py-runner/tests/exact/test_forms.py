"""Files that are hostile or unusual: they are refused, never called exact. Owns the promises about what is not a plain exact graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from llmzip.errors import ModelError
from llmzip.exact import Rule, check

from .graphs import Edited

Edit = Callable[[Edited], None]


def newer_opset(graph: Edited) -> None:
    graph.model.opset_import[0].version = 99


def functions(graph: Edited) -> None:
    body = [helper.make_node("Exp", ["x"], ["y"])]
    graph.model.functions.append(
        helper.make_function("", "Sqrt", ["x"], ["y"], body, [helper.make_opsetid("", 14)], [])
    )


def second_output(graph: Edited) -> None:
    """What comes out of it besides the first is unknown, and must not make anything pass."""
    node = graph.find("Max")
    node.output.append("/broken/second")
    graph.find("Sqrt").input[0] = "/broken/second"


def missing_input(graph: Edited) -> None:
    del graph.find("Sub").input[1:]


def no_inputs(graph: Edited) -> None:
    for op in ("Max", "ReduceMax", "Abs", "Div", "Mul"):
        del graph.find(op).input[:]


def wrong_attribute(graph: Edited) -> None:
    node = graph.find("Transpose")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("perm", "first"))


def axis_of_nothing(graph: Edited) -> None:
    node = graph.find("Squeeze") if any(graph.nodes("Squeeze")) else graph.find("Range")
    graph.insert(node, 1, "Squeeze", graph.new_constant([0], np.int64))


def mixed_types(graph: Edited) -> None:
    node = graph.find("Sqrt")
    cast = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    graph.insert(cast, 0, "Add", graph.new_constant(1, np.int32))


FORMS: dict[str, tuple[Edit, Rule]] = {
    "newer opset": (newer_opset, Rule.UNKNOWN_FORM),
    "functions": (functions, Rule.SUBGRAPH),
    "second output": (second_output, Rule.UNKNOWN_FORM),
    "missing input": (missing_input, Rule.UNKNOWN_FORM),
    "no inputs": (no_inputs, Rule.UNKNOWN_FORM),
    "wrong attribute": (wrong_attribute, Rule.UNKNOWN_FORM),
    "axis of nothing": (axis_of_nothing, Rule.UNKNOWN_FORM),
    "mixed types": (mixed_types, Rule.UNKNOWN_FORM),
}


@pytest.mark.parametrize(("edit", "rule"), FORMS.values(), ids=FORMS)
def test_what_is_not_understood_is_refused(exact: bytes, edit: Edit, rule: Rule) -> None:
    graph = Edited(exact)
    edit(graph)
    report = check(graph.content)
    assert not report.exact
    assert rule in {each.rule for each in report.violations}


def twice_made(graph: Edited) -> None:
    graph.graph.node.append(graph.graph.node[3])


def not_in_order(graph: Edited) -> None:
    graph.graph.node.insert(0, graph.graph.node[-1])
    del graph.graph.node[-1]


def no_output(graph: Edited) -> None:
    graph.graph.output[0].name = "nothing"


def two_constants(graph: Edited) -> None:
    graph.graph.initializer.append(graph.graph.initializer[0])


def two_attributes(graph: Edited) -> None:
    node = graph.find("Cast")
    node.attribute.append(helper.make_attribute("to", TensorProto.DOUBLE))


def short_constant(graph: Edited) -> None:
    tensor = graph.graph.initializer[0]
    tensor.raw_data = tensor.raw_data[:-4]


UNREADABLE: dict[str, tuple[Edit, str]] = {
    "twice made": (twice_made, "which is there already"),
    "not in order": (not_in_order, "which nothing before it makes"),
    "no output": (no_output, "nothing makes the output"),
    "two constants": (two_constants, "of the name"),
    "two attributes": (two_attributes, "of the name to"),
    "short constant": (short_constant, "cannot be read"),
}


@pytest.mark.parametrize(("edit", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_engines_may_read_differently_is_no_model(exact: bytes, edit: Edit, why: str) -> None:
    graph = Edited(exact)
    edit(graph)
    with pytest.raises(ModelError, match=why):
        check(graph.content)


@pytest.mark.parametrize("content", [b"\x08", b"text", bytes(range(256))])
def test_what_is_no_onnx_file(content: bytes) -> None:
    with pytest.raises(ModelError):
        check(content)


def check_named(graph: Edited, rule: Rule, name: str) -> None:
    found = {(each.rule, each.node) for each in check(graph.content).violations}
    assert (rule, name) in found


def test_a_constant_that_can_be_replaced_is_none(exact: bytes) -> None:
    """Whoever runs a graph may give it another value for an initializer that is an input as well."""
    graph = Edited(exact)
    node = graph.find("MatMulInteger", lambda each: graph.constant(each.input[1]) is not None)
    weights = graph.constant(node.input[1])
    assert weights is not None
    graph.graph.input.append(helper.make_tensor_value_info(node.input[1], TensorProto.INT8, weights.shape))
    check_named(graph, Rule.UNSAFE_PRODUCT, node.name)


def look_up_first(graph: Edited) -> None:
    """Only the first position is looked up: the others may be beyond the table."""
    one = [graph.new_constant([each], np.int64) for each in (0, 1, 1)]
    for node in [each for each in graph.nodes("Gather") if "position_ids" in each.input]:
        graph.insert(node, 1, "Slice", *one)


def look_up_in_vain(graph: Edited) -> None:
    """A short table whose rows nobody uses: engines leave the look-up out."""
    for node in graph.nodes("Gather"):
        if "position_ids" in node.input:
            node.input[1] = "input_ids"
    table = graph.new_constant(np.zeros((4, 2)))
    graph.graph.node.append(
        helper.make_node("Gather", [table, "position_ids"], ["/broken/unused"], name="/broken/vain")
    )


@pytest.mark.parametrize("edit", [look_up_first, look_up_in_vain])
def test_a_table_bounds_the_context_if_all_positions_are_looked_up(exact: bytes, edit: Edit) -> None:
    graph = Edited(exact)
    edit(graph)
    report = check(graph.content)
    assert report.positions.value is None
    assert not report.exact


def test_the_shortest_table_bounds_the_context(exact: bytes) -> None:
    graph = Edited(exact)
    table = graph.constant("sin_table")
    assert table is not None
    graph.replace_constant("sin_table", table[:20])
    report = check(graph.content)
    assert report.exact
    assert str(report.positions) == "20 (from sin_table)"


def new_scales(graph: Edited, name: str) -> Any:
    """The Concat that appends to a cache's scales."""
    return next(node for node in graph.nodes("Concat") if name in node.output)


def test_what_is_known_of_the_cache_holds_for_what_is_put_into_it(exact: bytes) -> None:
    """Scales that may be 0 make a division unsafe that comes after the cache."""
    graph = Edited(exact)
    node = new_scales(graph, "present.0.value_scale")
    graph.insert(node, 1, "Relu")
    graph.insert(node, 1, "Sub", graph.new_constant(0.5))
    order = [each for each in graph.nodes("Div") if graph.made_by(each, "ReduceMax", 1)]
    check_named(graph, Rule.DIVISION_BY_ZERO, order[0].name)


def test_what_is_known_of_the_cache_holds_for_every_run(exact: bytes) -> None:
    """A cache whose content grows with every run has no bound, whatever one run says."""
    graph = Edited(exact)
    node = new_scales(graph, "present.0.key_scale")
    old = graph.insert(node, 0, "Mul", graph.new_constant(2.0))
    assert old.input[0] == "past_key_values.0.key_scale"
    graph.insert(node, 0, "Cast", to=TensorProto.INT32)
    back = graph.insert(node, 0, "Cast", to=TensorProto.FLOAT)
    narrowing = next(each.name for each in graph.graph.node if each.output[0] == back.input[0])
    check_named(graph, Rule.NARROWING_CAST, narrowing)


def test_a_cache_without_an_output_is_any_tensor(exact: bytes) -> None:
    graph = Edited(exact)
    for output in list(graph.graph.output):
        if output.name == "present.0.value_scale":
            graph.graph.output.remove(output)
    node = next(each for each in graph.nodes("Div") if graph.made_by(each, "ReduceMax", 1))
    check_named(graph, Rule.DIVISION_BY_ZERO, node.name)


def test_two_open_axes_leave_the_context_unknown(exact: bytes) -> None:
    """Nobody says which of them is the past."""
    graph = Edited(exact)
    for cache in graph.graph.input:
        if cache.name.startswith("past_key_values."):
            cache.type.tensor_type.shape.dim[1].ClearField("dim_value")
    assert not check(graph.content).exact
