"""A float graph rewritten with few bits: which weights, how they are stored, and that it computes what its weights say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from llmzip.errors import UsageError
from llmzip.quantize import ExportedGraph, NbitsSettings, QuantizeError
from llmzip.quantize.nbits import quantize
from llmzip.quantize.nbits.scales import quantize as quantize_blocks

if TYPE_CHECKING:
    import numpy.typing as npt

VOCAB, HIDDEN = 64, 96
IDS = np.array([[1, 5, 63], [0, 2, 40]])
Float = "npt.NDArray[np.float32]"


def weight(rows: int, columns: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


@dataclass
class Small:
    """A graph of input_ids [batch, n] to logits by a look-up and a head, as exporters write them."""

    nodes: list[onnx.NodeProto]
    tensors: dict[str, Any]
    kind: int = TensorProto.FLOAT
    inputs: dict[str, int] = field(default_factory=lambda: {"input_ids": TensorProto.INT64})

    def graph(self) -> ExportedGraph:
        inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in self.inputs.items()]
        outputs = [helper.make_tensor_value_info("logits", self.kind, None)]
        tensors = [numpy_helper.from_array(value, name) for name, value in self.tensors.items()]
        graph = helper.make_graph(self.nodes, "small", inputs, outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        return ExportedGraph(model, "fp32" if self.kind == TensorProto.FLOAT else "fp16")


def node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=f"/{output}/{op}", **attributes)


EMBEDDING = weight(VOCAB, HIDDEN)
LOOK_UP = node("Gather", ["embed", "input_ids"], "x")
HEADS = {
    "turned in the graph": Small(
        [LOOK_UP, node("Transpose", ["embed"], "turned", perm=[1, 0]), node("MatMul", ["x", "turned"], "logits")],
        {"embed": EMBEDDING},
    ),
    "a turned copy": Small(
        [LOOK_UP, node("MatMul", ["x", "head"], "logits")], {"embed": EMBEDDING, "head": EMBEDDING.T.copy()}
    ),
    "behind Identity": Small(
        [
            node("Identity", ["embed"], "same"),
            node("Gather", ["same", "input_ids"], "x"),
            node("Transpose", ["same"], "turned"),
            node("MatMul", ["x", "turned"], "logits"),
        ],
        {"embed": EMBEDDING},
    ),
}
UNTIED = Small(
    [LOOK_UP, node("MatMul", ["x", "head"], "logits")], {"embed": EMBEDDING, "head": weight(HIDDEN, VOCAB, 1)}
)


def run(model: onnx.ModelProto, feeds: dict[str, Any] | None = None) -> npt.NDArray[np.float32]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    result: npt.NDArray[np.float32] = session.run(None, feeds or {"input_ids": IDS})[0]
    return result


def op_counts(model: onnx.ModelProto) -> dict[str, int]:
    ops = [each.op_type for each in model.graph.node]
    return {op: ops.count(op) for op in ops}


def names(model: onnx.ModelProto) -> list[str]:
    return [tensor.name for tensor in model.graph.initializer]


@pytest.mark.parametrize("settings", [NbitsSettings(), NbitsSettings(8, 32, 32, "max-abs", symmetric=False)], ids=str)
@pytest.mark.parametrize("head", list(HEADS))
def test_a_tied_head_is_stored_once_in_few_bits(head: str, settings: NbitsSettings) -> None:
    model = quantize(HEADS[head].graph(), settings)
    assert op_counts(model) == {"Reshape": 1, "GatherBlockQuantized": 1, "MatMulNBits": 1}
    points = [] if settings.symmetric else ["embed_zero_points"]
    assert names(model) == [f"embed_q{settings.bits}", "embed_scales", *points, f"embed_q{settings.bits}_shape"]
    group = settings.embedding_group
    assert group is not None
    seen = quantize_blocks(EMBEDDING, group, settings.bits, settings.scale, symmetric=settings.symmetric).dequantized()
    np.testing.assert_allclose(run(model), seen[IDS] @ seen.T, atol=1e-3)


@pytest.mark.parametrize("head", list(HEADS))
def test_a_tied_head_is_stored_once_as_floats_when_it_is_kept(head: str) -> None:
    small = HEADS[head]
    layer = Small(
        [*small.nodes[:-1], node("MatMul", ["x", "w"], "y"), node("MatMul", ["y", small.nodes[-1].input[1]], "logits")],
        {**small.tensors, "w": weight(HIDDEN, HIDDEN, 2)},
    )
    model = quantize(layer.graph(), NbitsSettings(embedding_group=None))
    assert names(model) == ["embed", "w_q4", "w_scales"]
    seen = quantize_blocks(layer.tensors["w"].T.copy(), 16).dequantized()
    np.testing.assert_allclose(run(model), EMBEDDING[IDS] @ seen.T @ EMBEDDING.T, atol=1e-2)


def test_a_head_of_its_own_has_its_own_bits() -> None:
    model = quantize(UNTIED.graph(), NbitsSettings(matmul_group=32, embedding_group=16))
    assert names(model) == ["embed_q4", "embed_scales", "head_q4", "head_scales"]
    rows = quantize_blocks(EMBEDDING, 16).dequantized()
    head = quantize_blocks(UNTIED.tensors["head"].T.copy(), 32).dequantized()
    np.testing.assert_allclose(run(model), rows[IDS] @ head.T, atol=1e-3)


def test_the_graph_that_was_given_stays_as_it_was() -> None:
    graph = UNTIED.graph()
    before = graph.model.SerializeToString(deterministic=True)
    quantize(graph, NbitsSettings())
    assert graph.model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("turned", [0, 1])
def test_a_gemm_keeps_its_term(turned: int) -> None:
    matrix, term = weight(VOCAB, HIDDEN, 3), weight(1, VOCAB, 4)[0]
    small = Small(
        [node("Gemm", ["rows", "w", "term"], "logits", transB=turned)],
        {"w": matrix if turned else matrix.T.copy(), "term": term},
        inputs={"rows": TensorProto.FLOAT},
    )
    model = quantize(small.graph(), NbitsSettings(embedding_group=None))
    assert op_counts(model) == {"MatMulNBits": 1, "Add": 1}
    rows = weight(3, HIDDEN, 5)
    wanted = rows @ quantize_blocks(matrix, 16).dequantized().T + term
    np.testing.assert_allclose(run(model, {"rows": rows}), wanted, atol=1e-3)


def test_a_gemm_with_factors_stays() -> None:
    small = Small(
        [node("Gemm", ["x", "w"], "y", alpha=0.5), node("MatMul", ["y", "v"], "logits")],
        {"w": weight(HIDDEN, HIDDEN), "v": weight(HIDDEN, HIDDEN)},
        inputs={"x": TensorProto.FLOAT},
    )
    assert op_counts(quantize(small.graph(), NbitsSettings(embedding_group=None))) == {"Gemm": 1, "MatMulNBits": 1}


def test_a_look_up_of_positions_is_no_embedding() -> None:
    small = Small(
        [
            node("Gather", ["places", "position_ids"], "p"),
            node("Cast", ["input_ids"], "ids", to=TensorProto.INT32),
            node("Gather", ["embed", "ids"], "e"),
            node("Add", ["e", "p"], "x"),
            node("MatMul", ["x", "head"], "logits"),
        ],
        {**UNTIED.tensors, "places": weight(8, HIDDEN, 6)},
        inputs={"input_ids": TensorProto.INT64, "position_ids": TensorProto.INT64},
    )
    model = quantize(small.graph(), NbitsSettings())
    assert "places" in names(model)
    assert op_counts(model)["GatherBlockQuantized"] == 1


def test_a_matrix_that_something_else_reads_stays_beside_its_bits() -> None:
    small = Small(
        [
            *UNTIED.nodes[:-1],
            node("MatMul", ["x", "head"], "y"),
            node("ReduceSum", ["head"], "sum"),
            node("Add", ["y", "sum"], "logits"),
        ],
        UNTIED.tensors,
    )
    assert names(quantize(small.graph(), NbitsSettings(embedding_group=None))) == [
        "embed",
        "head_q4",
        "head_scales",
        "head",
    ]


def test_scales_have_the_type_of_the_weights() -> None:
    small = Small(
        UNTIED.nodes, {name: each.astype(np.float16) for name, each in UNTIED.tensors.items()}, TensorProto.FLOAT16
    )
    model = quantize(small.graph(), NbitsSettings())
    assert {t.data_type for t in model.graph.initializer if "scales" in t.name} == {TensorProto.FLOAT16}
    assert run(model).dtype == np.float16


def test_the_progress_ends_where_it_said() -> None:
    seen: list[tuple[int, int]] = []
    quantize(UNTIED.graph(), NbitsSettings(), lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 3}, "bits: 3"),
        ({"matmul_group": 24}, "MatMulNBits: 24"),
        ({"matmul_group": 8}, "MatMulNBits: 8"),
        ({"embedding_group": 256}, "GatherBlockQuantized: 256"),
        ({"scale": "mean"}, "'mean' is not known"),
    ],
)
def test_refuses_what_no_op_takes(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        NbitsSettings(**settings)


def test_names_the_layer_that_a_group_does_not_divide() -> None:
    with pytest.raises(QuantizeError, match="head: a linear layer has 96 inputs, no multiple of the block size 64"):
        quantize(UNTIED.graph(), NbitsSettings(matmul_group=64, embedding_group=32))


def test_refuses_a_graph_with_nothing_to_quantise() -> None:
    small = Small([node("Relu", ["x"], "logits")], {}, inputs={"x": TensorProto.FLOAT})
    with pytest.raises(QuantizeError, match="no embedding to quantise"):
        quantize(small.graph(), NbitsSettings())
    with pytest.raises(QuantizeError, match="no product with a constant matrix"):
        quantize(small.graph(), NbitsSettings(embedding_group=None))
