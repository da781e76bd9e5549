"""Graphs that are exact, but not the same in every plan, are found by running them, and none is written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from llmzip.errors import UsageError
from llmzip.exact import check
from llmzip.quantize import Checkpoint, QuantizeError
from llmzip.quantize.drive import Driver
from llmzip.quantize.exact import LARGEST_CONTEXT, export, export_exact
from llmzip.quantize.exact.trial import try_plans

from . import llama

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from onnx import NodeProto

SIZES = llama.Sizes()


def multiplied(content: bytes, output: str, axis: int) -> bytes:
    """The graph with an output of float32 multiplied by a length of `input_ids` on its way out."""
    model = onnx.load_from_string(content)
    graph = model.graph
    maker: NodeProto = next(node for node in graph.node if output in node.output)
    inner = f"{output}/inner"
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == output:
                node.input[at] = inner
    maker.output[list(maker.output).index(output)] = inner
    graph.initializer.append(numpy_helper.from_array(np.array(axis), "axis"))
    graph.node.extend(
        [
            helper.make_node("Shape", ["input_ids"], ["shape"], "shape"),
            helper.make_node("Gather", ["shape", "axis"], ["length"], "length", axis=0),
            helper.make_node("Cast", ["length"], ["factor"], "factor", to=TensorProto.FLOAT),
            helper.make_node("Mul", [inner, "factor"], [output], "product"),
        ]
    )
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("output", "axis", "words"),
    [
        ("logits", 1, "other bits of the logits token by token than"),
        ("logits", 0, "other bits of the logits in one pass of two lanes than"),
        ("present.1.key_scale", 0, r"other bits of past_key_values\.1\.key_scale in one pass of two lanes"),
    ],
)
def test_a_graph_that_depends_on_how_it_is_fed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, axis: int, words: str
) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    config = Checkpoint(tmp_path).config
    content = export_exact(tmp_path).content
    try_plans(content, config)
    changed = multiplied(content, output, axis)
    # Its arithmetic is exact.
    assert check(changed).exact
    with pytest.raises(QuantizeError, match=words):
        try_plans(changed, config)
    monkeypatch.setattr(export, "build_exact_graph", lambda *_: changed)
    with pytest.raises(QuantizeError, match=words):
        export_exact(tmp_path)


def test_a_graph_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    with pytest.raises(QuantizeError, match="cannot be tried") as caught:
        try_plans(b"no graph", Checkpoint(tmp_path).config)
    assert "exporter" not in str(caught.value.hint)


@pytest.mark.parametrize(
    ("family", "window", "asked"), [("llama", None, 1), ("llama", None, 20), ("mistral", 5, 20), ("mistral", 30, 20)]
)
def test_the_graph_of_fewer_positions_computes_the_same(
    tmp_path: Path, family: str, window: int | None, asked: int
) -> None:
    sizes = llama.Sizes(family=family, window=window)
    llama.write_checkpoint(tmp_path, sizes)
    whole, part = export_exact(tmp_path), export_exact(tmp_path, asked)
    assert (whole.positions, whole.source_positions) == (SIZES.positions, SIZES.positions)
    assert (part.positions, part.source_positions) == (asked, SIZES.positions)
    report = check(part.content)
    assert str(report.positions) == f"{asked} (from cos_table)"
    ids = [at * 5 % sizes.vocab for at in range(asked)]
    found, wanted = (logits_of(each.content, ids, tmp_path) for each in (part, whole))
    assert found.tobytes() == wanted.tobytes()


def logits_of(content: bytes, ids: list[int], folder: Path) -> npt.NDArray[Any]:
    driver = Driver(content, asdict(Checkpoint(folder).config))
    return driver.feed(np.array([ids]), driver.empty(1), 0)[0]


def test_a_longer_context_is_cut_to_what_sums_can_hold(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes(positions=LARGEST_CONTEXT + 1))
    model = export_exact(tmp_path)
    assert (model.positions, model.source_positions) == (LARGEST_CONTEXT, LARGEST_CONTEXT + 1)
    assert check(model.content).exact
    with pytest.raises(UsageError, match="at most 33025 positions") as caught:
        export_exact(tmp_path, LARGEST_CONTEXT + 1)
    assert "--positions 33025" in str(caught.value.hint)


def test_one_position_more_than_sums_can_hold_breaks_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes(positions=LARGEST_CONTEXT + 1))
    monkeypatch.setattr(export, "LARGEST_CONTEXT", LARGEST_CONTEXT + 1)
    with pytest.raises(
        QuantizeError, match=r"break the rules of exactness 1 times, first: integer-overflow .* do not fit int32"
    ):
        export_exact(tmp_path)


def test_more_positions_than_there_are_is_refused(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    with pytest.raises(UsageError, match="has 48 positions, not 49") as caught:
        export_exact(tmp_path, 49)
    assert "--positions 48" in str(caught.value.hint)
