"""A graph's activations made float16 and float32: what changes, what must not, and that it still computes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from llmzip.quantize import FLAVOURS, NbitsSettings, QuantizeError, quantized_flavours
from llmzip.quantize.activations import to_float16, to_float32
from llmzip.quantize.exported import ExportedGraph

from .test_nbits import UNTIED, node

if TYPE_CHECKING:
    import numpy.typing as npt

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def model(
    nodes: list[onnx.NodeProto], tensors: dict[str, Any], inputs: dict[str, int], output: str = "y"
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(output, FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def run(graph: onnx.ModelProto, **feeds: npt.NDArray[Any]) -> npt.NDArray[Any]:
    options = ort.SessionOptions()
    # What is asked here is what the graph says, not what an optimiser makes of it.
    options.graph_optimization_level, options.log_severity_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL, 3
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    result: npt.NDArray[Any] = session.run(None, feeds)[0]
    return result


def norm() -> onnx.ModelProto:
    """A norm as PyTorch writes it, with a weight, of inputs whose squares float16 cannot hold."""
    return model(
        [
            node("Pow", ["x", "two"], "squares"),
            node("ReduceMean", ["squares"], "mean", axes=[-1]),
            node("Add", ["mean", "eps"], "shifted"),
            node("Sqrt", ["shifted"], "root"),
            node("Div", ["one", "root"], "factor"),
            node("Mul", ["x", "factor"], "normed"),
            node("Mul", ["normed", "weight"], "y"),
        ],
        {
            "two": np.float32(2),
            "eps": np.float32(1e-6),
            "one": np.float32(1),
            "weight": np.linspace(0.5, 1.5, 8, dtype=np.float32),
        },
        {"x": FLOAT},
    )


def test_a_norm_outlives_squares_that_float16_cannot_hold() -> None:
    x = np.linspace(-600, 900, 8, dtype=np.float32)[None]
    found, wanted = run(to_float16(norm()), x=x.astype(np.float16)), run(norm(), x=x)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, wanted, rtol=4e-3)


def test_casts_stand_only_between_the_two_kinds() -> None:
    narrow = to_float16(norm())
    casts = [(each.input[0], each.output[0]) for each in narrow.graph.node if each.op_type == "Cast"]
    assert casts == [("x", "x/float32"), ("factor", "factor/float16")]
    kinds = {tensor.name: tensor.data_type for tensor in narrow.graph.initializer}
    assert kinds == {"two/float32": FLOAT, "eps/float32": FLOAT, "one/float32": FLOAT, "weight": HALF}


@pytest.mark.parametrize("hidden", [np.finfo(np.float32).min, -np.inf, -1e30])
def test_what_hides_a_position_still_hides_it(hidden: float) -> None:
    graph = model(
        [
            node("Cast", ["mask"], "seen", to=FLOAT),
            node("Sub", ["one", "seen"], "unseen"),
            node("Mul", ["unseen", "hiding"], "added"),
            node("Add", ["x", "added"], "scores"),
            node("Softmax", ["scores"], "y", axis=-1),
        ],
        {"one": np.float32(1), "hiding": np.float32(max(hidden, float(np.finfo(np.float32).min)))},
        {"x": FLOAT, "mask": TensorProto.INT64},
    )
    x = np.array([[1.0, 5.0, -2.0]], np.float32)
    for mask in ([[1, 1, 0]], [[0, 0, 0]]):
        found = run(to_float16(graph), x=x.astype(np.float16), mask=np.array(mask))
        assert np.isfinite(found).all()
    np.testing.assert_allclose(run(to_float16(graph), x=x.astype(np.float16), mask=np.array([[1, 1, 0]]))[0, 2], 0)


def test_angles_are_float32() -> None:
    graph = model(
        [
            node("Cast", ["positions"], "at", to=FLOAT),
            node("Mul", ["at", "rate"], "angle"),
            node("Cos", ["angle"], "cos"),
            node("Mul", ["x", "cos"], "y"),
        ],
        {"rate": np.float32(0.37)},
        {"x": FLOAT, "positions": TensorProto.INT64},
    )
    positions = np.array([3, 4097, 8191])
    x = np.ones(3, np.float32)
    found = run(to_float16(graph), x=x.astype(np.float16), positions=positions)
    np.testing.assert_allclose(found, np.cos(positions * 0.37), atol=1e-3)


def test_logits_stay_float32_and_the_cache_does_not() -> None:
    graph = model([node("Relu", ["past"], "present"), node("Neg", ["past"], "logits")], {}, {"past": FLOAT}, "logits")
    graph.graph.output.append(helper.make_tensor_value_info("present", FLOAT, None))
    narrow = to_float16(graph)
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*narrow.graph.input, *narrow.graph.output)}
    assert kinds == {"past": HALF, "logits": FLOAT, "present": HALF}
    assert run(narrow, past=np.ones(2, np.float16)).dtype == np.float32


def test_constants_of_nodes_become_tensors() -> None:
    value = numpy_helper.from_array(np.array([0.5], np.float32))
    graph = model([node("Constant", [], "half", value=value), node("Mul", ["x", "half"], "y")], {}, {"x": FLOAT})
    narrow = to_float16(graph)
    assert [(tensor.name, tensor.data_type) for tensor in narrow.graph.initializer] == [("half", HALF)]
    assert run(narrow, x=np.ones(1, np.float16)) == np.float16(0.5)


def test_a_constant_that_both_kinds_read_is_there_in_both() -> None:
    graph = model(
        [node("Pow", ["c", "c"], "wide"), node("Mul", ["x", "c"], "z"), node("Mul", ["z", "wide"], "y")],
        {"c": np.float32(3)},
        {"x": FLOAT},
    )
    narrow = to_float16(graph)
    assert {tensor.name: tensor.data_type for tensor in narrow.graph.initializer} == {"c": HALF, "c/float32": FLOAT}
    assert run(narrow, x=np.ones((), np.float16)) == 81


@pytest.mark.parametrize("value", [1e6, np.nan])
def test_refuses_weights_that_float16_cannot_hold(value: float) -> None:
    graph = model([node("Mul", ["x", "w"], "y")], {"w": np.array([1, value], np.float32)}, {"x": FLOAT})
    with pytest.raises(QuantizeError, match="w has values that float16 cannot hold"):
        to_float16(graph)


def test_refuses_graphs_inside_graphs() -> None:
    inner = helper.make_graph([node("Neg", ["x"], "z")], "inner", [], [helper.make_tensor_value_info("z", FLOAT, None)])
    graph = model(
        [node("If", ["c"], "y", then_branch=inner, else_branch=inner)], {}, {"x": FLOAT, "c": TensorProto.BOOL}
    )
    with pytest.raises(QuantizeError, match=r"\(If\) holds graphs of its own"):
        to_float16(graph)


def test_precise_constants_are_rounded_once() -> None:
    # Between two float16, a little more than half way: as float32 it is half way, and half way goes to the even one, below.
    precise = np.array([1 + 2.0**-11 + 2.0**-40])
    graph = model([node("Mul", ["x", "table"], "y")], {"table": precise.astype(np.float32)}, {"x": FLOAT})
    (twice,), (once,) = to_float16(graph).graph.initializer, to_float16(graph, {"table": precise}).graph.initializer
    assert numpy_helper.to_array(twice) == 1
    assert numpy_helper.to_array(once) == 1 + 2.0**-10


def test_float32_everywhere_is_the_same_numbers() -> None:
    half = numpy_helper.from_array(np.array([0.5], np.float16))
    inner = helper.make_graph(
        [node("Constant", [], "k", value=half), node("Mul", ["x", "k"], "z")],
        "inner",
        [],
        [helper.make_tensor_value_info("z", HALF, None)],
    )
    graph = model(
        [
            node("If", ["c"], "a", then_branch=inner, else_branch=inner),
            node("Cast", ["a"], "b", to=HALF),
            node("Add", ["b", "w"], "y"),
        ],
        {"w": np.array([0.1], np.float16)},
        {"x": HALF, "c": TensorProto.BOOL},
    )
    graph.graph.output[0].type.tensor_type.elem_type = HALF
    before = graph.SerializeToString(deterministic=True)
    wide = to_float32(graph)
    assert graph.SerializeToString(deterministic=True) == before
    found = run(wide, x=np.array([3.0], np.float32), c=np.array(True))
    assert found.dtype == np.float32
    assert found == np.float32(1.5) + np.float32(np.float16(0.1))
    assert str(HALF) not in {str(tensor.data_type) for tensor in wide.graph.initializer}


def packed(graph: onnx.ModelProto) -> dict[str, bytes]:
    return {t.name: t.raw_data for t in graph.graph.initializer if t.data_type == TensorProto.UINT8}


@pytest.mark.parametrize("activations", ["fp32", "fp16"])
def test_flavours_hold_the_same_weights_of_few_bits(activations: Any) -> None:
    graph = UNTIED.graph().model
    if activations == "fp16":
        graph = to_float16(graph)
        graph.graph.output[0].type.tensor_type.elem_type = FLOAT
    made = quantized_flavours(ExportedGraph(graph, activations), NbitsSettings())
    assert list(made) == list(FLAVOURS)
    assert len(packed(made["q4"])) == 2
    assert packed(made["q4f16"]) == packed(made["q4"])
    scales = [
        [numpy_helper.to_array(t) for t in each.graph.initializer if "scales" in t.name] for each in made.values()
    ]
    assert all(np.array_equal(a.astype(np.float32), b) for a, b in zip(*scales, strict=True))


def test_the_way_there_and_back_keeps_every_byte() -> None:
    made = quantized_flavours(UNTIED.graph(), NbitsSettings())["q4f16"]
    again = to_float16(to_float32(made))
    assert again.graph.initializer == made.graph.initializer
