"""Axes are dynamic when they are, and not when a graph only says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest
from onnx import helper

from llmzip.quantize import Checkpoint
from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.export.axes import BATCHES, LENGTHS, check_axes
from llmzip.quantize.export.own import export_own

from . import llama

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = llama.Sizes(family="llama")
CONFIG = {
    "vocab_size": SIZES.vocab,
    "hidden_size": SIZES.hidden,
    "num_attention_heads": SIZES.heads,
    "num_key_value_heads": SIZES.kv_heads,
    "head_dim": SIZES.head_dim,
}


def graph_file(folder: Path, change: Callable[[onnx.GraphProto], None] = lambda _graph: None) -> Path:
    llama.write_checkpoint(folder, SIZES)
    model = onnx.ModelProto()
    model.CopyFrom(export_own(Checkpoint(folder)).model)
    change(model.graph)
    file = folder / "model.onnx"
    onnx.save_model(model, str(file))
    return file


def put_before(graph: onnx.GraphProto, tensor: str, *nodes: onnx.NodeProto) -> None:
    """Nodes that make "changed" of an input, for all that read it."""
    for node in graph.node:
        node.input[:] = ["changed" if name == tensor else name for name in node.input]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def test_a_dynamic_graph_is_run_at_every_size(tmp_path: Path) -> None:
    axes = check_axes(graph_file(tmp_path), CONFIG)
    for batch in BATCHES:
        for length in LENGTHS:
            assert (batch, length, 0) in axes.cases
    assert (1, 17, 17) in axes.cases
    assert (3, 1, 17) in axes.cases
    # The op of this graph takes several lanes with a past token by token only.
    assert set(axes.left_out) == {(3, length, past) for length in (2, 17) for past in LENGTHS}
    assert axes.largest_difference < 1e-5


def test_positions_that_begin_anew_with_every_pass_are_found(tmp_path: Path) -> None:
    def forget(graph: onnx.GraphProto) -> None:
        put_before(
            graph,
            "position_ids",
            helper.make_node("ReduceMin", ["position_ids"], ["first"], axes=[1], keepdims=1),
            helper.make_node("Sub", ["position_ids", "first"], ["changed"]),
        )

    with pytest.raises(QuantizeError, match="depend on what it is fed together with"):
        check_axes(graph_file(tmp_path, forget), CONFIG)


def test_lanes_that_see_each_other_are_found(tmp_path: Path) -> None:
    def mix(graph: onnx.GraphProto) -> None:
        put_before(
            graph,
            "input_ids",
            helper.make_node("ReduceMax", ["input_ids"], ["largest"], axes=[0], keepdims=1),
            helper.make_node("Shape", ["input_ids"], ["shape"]),
            helper.make_node("Expand", ["largest", "shape"], ["changed"]),
        )

    with pytest.raises(QuantizeError, match="depend on what it is fed together with"):
        check_axes(graph_file(tmp_path, mix), CONFIG)


def test_an_axis_that_is_fixed_behind_a_name_is_found(tmp_path: Path) -> None:
    def fix(graph: onnx.GraphProto) -> None:
        graph.initializer.append(helper.make_tensor("two", onnx.TensorProto.INT64, [2], [1, -1]))
        put_before(graph, "input_ids", helper.make_node("Reshape", ["input_ids", "two"], ["changed"]))

    with pytest.raises(QuantizeError, match=r"in 3 lanes|a batch of 3"):
        check_axes(graph_file(tmp_path, fix), CONFIG)
