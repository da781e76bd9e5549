"""Hand-written graphs at the edge of what the checker claims: each is run, and what comes out is beyond what may be claimed of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from llmzip.exact import Rule, check, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from onnx import NodeProto

POSITIONS = 4
FLOAT, UINT8, INT64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64
INPUTS: dict[str, tuple[int, list[str | int | None]]] = {
    "input_ids": (INT64, ["batch", "sequence"]),
    "attention_mask": (INT64, ["batch", "total"]),
    "past_key_values.0.key": (UINT8, ["batch", "past", 2]),
    "x": (FLOAT, [3, 2]),
}
OUTPUTS: dict[str, tuple[int, list[str | int | None]]] = {"present.0.key": (UINT8, ["batch", "total", 2])}
BATCH = 3
MOST = 2.0**128 * (1 - 2.0**-24)


def model(nodes: Sequence[NodeProto], constants: dict[str, Any], result: int = FLOAT) -> bytes:
    """A decoder in name: its cache grows as it should, and `nodes` make `logits`."""
    cache = [
        helper.make_node("Expand", ["new", "like_ids"], ["new_tokens"], "new tokens"),
        helper.make_node("Concat", ["past_key_values.0.key", "new_tokens"], ["present.0.key"], "cache", axis=1),
        helper.make_node("Shape", ["input_ids"], ["shape_of_ids"], "shape of ids"),
        helper.make_node("Concat", ["shape_of_ids", "frame_two"], ["like_ids"], "like ids", axis=0),
    ]
    order = [cache[2], cache[3], cache[0], cache[1]]
    constants = {"new": np.full((1, 1, 2), 128, np.uint8), "frame_two": np.array([2]), **constants}
    graph = helper.make_graph(
        [*order, *nodes],
        "claims",
        [helper.make_tensor_value_info(name, *declared) for name, declared in INPUTS.items()],
        [
            *(helper.make_tensor_value_info(name, *declared) for name, declared in OUTPUTS.items()),
            helper.make_tensor_value_info("logits", result, None),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return bytes(made.SerializeToString())


def run(
    content: bytes,
    x: npt.NDArray[np.float32] | None = None,
    past: int = 0,
    length: int = 1,
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
) -> npt.NDArray[Any]:
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = {
        "input_ids": np.zeros((BATCH, length), np.int64),
        "attention_mask": np.ones((BATCH, past + length), np.int64),
        "past_key_values.0.key": np.full((BATCH, past, 2), 128, np.uint8),
        "x": np.ones((3, 2), np.float32) if x is None else x,
    }
    found: npt.NDArray[Any] = session.run(["logits"], feeds)[0]
    return found


def test_the_frame_of_these_graphs_breaks_no_rule() -> None:
    content = model([helper.make_node("Identity", ["x"], ["logits"], "same")], {})
    report = check(content, POSITIONS)
    assert not report.violations, report.lines()
    assert describe(content, POSITIONS)["present.0.key"].shape is not None


def length_of(axis: int, of: str) -> list[NodeProto]:
    return [
        helper.make_node("Shape", [of], ["shape"], "shape"),
        helper.make_node("Gather", ["shape", f"axis{axis}"], ["length"], "length", axis=0),
    ]


LENGTHS = {"axis0": np.array(0), "axis1": np.array(1)}


@pytest.mark.parametrize("of", ["input_ids", "attention_mask", "past_key_values.0.key"])
@pytest.mark.parametrize(("op", "number"), [("Sub", 5), ("Add", -5)])
def test_the_root_of_a_length_less_a_number_may_be_none(of: str, op: str, number: int) -> None:
    nodes = [
        *length_of(1, of),
        helper.make_node(op, ["length", "number"], ["rest"], "rest"),
        helper.make_node("Cast", ["rest"], ["float"], "float", to=FLOAT),
        helper.make_node("Sqrt", ["float"], ["logits"], "root"),
    ]
    content = model(nodes, {**LENGTHS, "number": np.array(number)})
    assert np.isnan(run(content)).all()
    assert [(each.rule, each.node) for each in check(content, POSITIONS).violations] == [(Rule.NOT_FINITE, "root")]


def check_bounds(content: bytes, found: npt.NDArray[Any], name: str = "logits") -> None:
    """What was found is within what is claimed, or the graph is refused."""
    known = describe(content, POSITIONS)[name]
    assert np.isfinite(found).all() or check(content, POSITIONS).violations
    if not known.tainted:
        assert known.range.lo <= found.min()
        assert found.max() <= known.range.hi
        if known.shape is not None:
            assert len(known.shape) == found.ndim
            limits = [dim.limit for dim in known.shape]
            assert all(limit is None or size <= limit for size, limit in zip(found.shape, limits, strict=True))


@pytest.mark.parametrize("number", [-7, -1, 0, 3])
@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_sums_of_lengths_and_numbers_are_within_what_is_known(op: str, number: int) -> None:
    for of in ("input_ids", "attention_mask", "past_key_values.0.key"):
        nodes = [*length_of(1, of), helper.make_node(op, ["length", "number"], ["logits"], "rest")]
        content = model(nodes, {**LENGTHS, "number": np.array(number)}, INT64)
        for past, length in ((0, 1), (3, 1), (0, 4), (2, 2)):
            check_bounds(content, run(content, past=past, length=length))


@pytest.mark.parametrize(("start", "limit"), [(5, 3), (3, 5), (3, 3), (-2, 1)])
def test_a_range_that_runs_backwards_is_empty(start: int, limit: int) -> None:
    nodes = [helper.make_node("Range", ["start", "limit", "one"], ["logits"], "numbers")]
    content = model(nodes, {"start": np.array(start), "limit": np.array(limit), "one": np.array(1)}, INT64)
    found = run(content)
    assert found.tolist() == list(range(start, limit))
    shape = describe(content, POSITIONS)["logits"].shape
    assert shape is not None
    assert [dim.limit for dim in shape] == [len(found)]


def test_a_slice_by_steps_that_are_not_constant_tells_no_lengths() -> None:
    """By steps of -1 it gives the other lengths, in the other order."""
    nodes = [
        helper.make_node("Shape", ["input_ids"], ["shape"], "shape"),
        helper.make_node("Sub", ["shape", "shape"], ["none"], "none"),
        helper.make_node("Sub", ["none", "one"], ["backwards"], "backwards"),
        helper.make_node("Slice", ["backwards", "zero", "one", "zero"], ["step"], "step"),
        helper.make_node("Slice", ["shape", "one", "zero", "zero", "step"], ["second"], "second"),
        helper.make_node("Expand", ["y", "second"], ["many"], "many"),
        helper.make_node("ReduceSum", ["many"], ["logits"], "sum", keepdims=0),
    ]
    numbers = {"one": np.array([1]), "zero": np.array([0]), "y": np.array([1.0], np.float32)}
    content = model(nodes, numbers)
    check_bounds(content, run(content, length=3))


def test_a_length_of_0_stands_for_that_of_the_input() -> None:
    """Of a past that is not there yet a Reshape makes the first length of what it is given: here more than there are positions."""
    nodes = [
        *length_of(1, "past_key_values.0.key"),
        helper.make_node("Unsqueeze", ["length", "axis"], ["first"], "first"),
        helper.make_node("Concat", ["first", "one"], ["wanted"], "wanted", axis=0),
        helper.make_node("Reshape", ["y", "wanted"], ["column"], "column"),
        helper.make_node("ReduceSum", ["column"], ["logits"], "sum", keepdims=0),
    ]
    numbers = {**LENGTHS, "axis": np.array([0]), "one": np.array([1]), "y": np.full((9, 1), 3.0, np.float32)}
    content = model(nodes, numbers)
    check_bounds(content, run(content))


@pytest.mark.parametrize("op", ["Expand", "ConstantOfShape", "Tile"])
def test_negative_lengths_are_refused(op: str) -> None:
    inputs = ["wanted"] if op == "ConstantOfShape" else ["y", "wanted"]
    nodes = [
        helper.make_node(op, inputs, ["many"], "many"),
        helper.make_node("ReduceSum", ["many"], ["logits"], "sum", keepdims=0),
    ]
    content = model(nodes, {"wanted": np.array([-1]), "y": np.array([1.0], np.float32)})
    assert [(each.rule, each.node) for each in check(content, POSITIONS).violations] == [(Rule.UNKNOWN_FORM, "many")]


def test_a_row_without_elements_attains_nothing() -> None:
    """The one number of a row is 0, for it is its own maximum; spread over a past of none, it is not there."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["column"], "column", axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["column"], ["same"], "same", axes=[1], keepdims=1),
        helper.make_node("Sub", ["column", "same"], ["zero"], "zero"),
        helper.make_node("Neg", ["zero"], ["plain"], "plain"),
        helper.make_node("Clip", ["plain", "low", "high"], ["clipped"], "clipped"),
        helper.make_node("Add", ["clipped", "two"], ["positive"], "positive"),
        helper.make_node("Cast", ["positive"], ["whole"], "whole", to=TensorProto.INT32),
        *length_of(1, "past_key_values.0.key"),
        helper.make_node("Unsqueeze", ["length", "axis"], ["last"], "last"),
        helper.make_node("Concat", ["three", "last"], ["wanted"], "wanted", axis=0),
        helper.make_node("Expand", ["whole", "wanted"], ["spread"], "spread"),
        helper.make_node("ReduceSum", ["spread", "minus"], ["sum"], "sum", keepdims=1),
        helper.make_node("Cast", ["sum"], ["divisor"], "divisor", to=FLOAT),
        helper.make_node("Div", ["number", "divisor"], ["logits"], "divide"),
    ]
    numbers = {**LENGTHS, "axis": np.array([0]), "three": np.array([3]), "minus": np.array([-1])}
    floats = {"low": np.float32(0), "high": np.float32(1), "two": np.float32(2), "number": np.float32(2)}
    content = model(nodes, {**numbers, **{name: np.asarray(value) for name, value in floats.items()}})
    assert np.isinf(run(content)).all()
    assert [(each.rule, each.node) for each in check(content, POSITIONS).violations] == [
        (Rule.DIVISION_BY_ZERO, "divide")
    ]


@pytest.mark.parametrize("exponent", [-64, -40, -22, -10, -1, 1, 14])
def test_a_row_scaled_to_its_peak_may_be_rounded_far_up(exponent: int) -> None:
    """c / m may be subnormal, where rounding is no small part of it."""
    nodes = [
        helper.make_node("Abs", ["x"], ["magnitudes"], "magnitudes"),
        helper.make_node("ReduceMax", ["magnitudes"], ["largest"], "largest", axes=[-1], keepdims=1),
        helper.make_node("Max", ["largest", "tiny"], ["peak"], "peak"),
        helper.make_node("Div", ["unit", "peak"], ["levels"], "levels"),
        helper.make_node("Mul", ["x", "levels"], ["logits"], "scaled"),
    ]
    unit = 2.0**exponent
    content = model(nodes, {"unit": np.array(unit, np.float32), "tiny": np.array(2.0**-40, np.float32)})
    divisors = (1.5, 2.5, 1.0, 2.0**20 + 0.5)
    peaks = np.array([min(unit * 2.0**149 / each, MOST) for each in divisors], np.float32)
    for peak in (*peaks, np.float32(MOST), np.float32(1.0)):
        check_bounds(content, run(content, np.array([[peak, -peak], [peak, 0], [1, -peak]], np.float32)))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("between", [None, "Identity", "Mul"])
@pytest.mark.parametrize("multiplied_before", [False, True])
def test_a_product_by_multiplied_scales_is_fused_into_one_that_rounds_otherwise(
    turned: bool, between: str | None, multiplied_before: bool
) -> None:
    """Multiplied by one scale after the other it is the same at all levels; by the product of both it is not."""
    rng = np.random.default_rng(0)
    byte = {"unit": np.array(2.0**-5, np.float32), "middle": np.array(128, np.uint8)}
    matrix = {"weights": rng.integers(-63, 64, (2, 16)).astype(np.int8)}
    scales = {"columns": rng.standard_normal(16).astype(np.float32), "one": np.array(1, np.float32)}
    last = ["scaled", "columns"] if not multiplied_before else ["float", "both"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "unit", "middle"], ["bytes"], "bytes"),
        helper.make_node("MatMulInteger", ["bytes", "weights", "middle"], ["product"], "product"),
        helper.make_node("Cast", ["product"], ["float"], "float", to=FLOAT),
        helper.make_node("ReduceMax", ["x"], ["rows"], "rows", axes=[-1], keepdims=1),
        helper.make_node("Mul", ["rows", "columns"], ["both"], "both"),
        helper.make_node("Mul", ["float", "rows"], ["scaled"], "scaled"),
        helper.make_node("Mul", last[::-1] if turned else last, ["logits"], "logits"),
    ]
    if between:
        inputs = ["whole"] if between == "Identity" else ["one", "whole"]
        nodes[2] = helper.make_node("Cast", ["product"], ["whole"], "whole", to=FLOAT)
        nodes.insert(3, helper.make_node(between, inputs, ["float"], "float"))
    unused = "scaled" if multiplied_before else "both"
    content = model([node for node in nodes if node.name != unused], byte | matrix | scales)
    x = rng.standard_normal((3, 2)).astype(np.float32)
    plain = run(content, x)
    optimised = run(content, x, level=ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    broken = [(each.rule, each.node) for each in check(content, POSITIONS).violations]
    assert (plain.tobytes() != optimised.tobytes()) == multiplied_before
    assert broken == ([(Rule.FUSED_PATTERN, "logits")] if multiplied_before else [])
