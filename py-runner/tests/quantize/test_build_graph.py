"""The graph computes what the numpy model computes, however it is fed. Owns the graph's promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from llmzip.quantize import FLAVOURS

from . import llama

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

TIED = llama.Sizes()
UNTIED = llama.Sizes(vocab=128, hidden=96, inner=32, layers=3, heads=4, kv_heads=4, head_dim=32, tied=False)
# Of logits that reach about 10: float32 rounding, and float16 rounding through all layers.
TOLERANCE = {"q4": 2e-4, "q4f16": 6e-2}
IDS = [0, 5, 90, 33, 33, 7, 64, 12, 0, 95, 41, 2, 77, 18, 6, 50]


class Graph:
    """A built graph in onnxruntime with its weights."""

    def __init__(self, folder: Path, sizes: llama.Sizes, flavour: str, kind: str = "F32") -> None:
        self.weights = llama.write_checkpoint(folder, sizes, kind=kind)
        self.sizes = sizes
        self.raw = llama.graph(folder, flavour)
        self.session = ort.InferenceSession(self.raw, providers=["CPUExecutionProvider"])
        self.dtype = FLAVOURS[flavour].dtype

    def run(
        self, ids: npt.NDArray[np.int64], past: list[Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], list[Any]]:
        batch, length = ids.shape
        if past is None:
            shape = (batch, self.sizes.kv_heads, 0, self.sizes.head_dim)
            past = [np.zeros(shape, self.dtype)] * (2 * self.sizes.layers)
        known = past[0].shape[2]
        names = [f"past_key_values.{i}.{part}" for i in range(self.sizes.layers) for part in ("key", "value")]
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones((batch, known + length), np.int64),
            "position_ids": np.tile(np.arange(known, known + length), (batch, 1)),
            **dict(zip(names, past, strict=True)),
        }
        logits, *present = self.session.run(None, feeds)
        return logits, present


def check_close(graph: Graph, found: npt.NDArray[np.float32], ids: list[int], tolerance: float) -> None:
    wanted = llama.logits(graph.weights, graph.sizes, ids)
    assert np.abs(wanted).max() > 1.0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("flavour", list(FLAVOURS))
@pytest.mark.parametrize("sizes", [TIED, UNTIED], ids=["tied", "untied"])
class TestNumbers:
    def test_one_pass(self, tmp_path: Path, sizes: llama.Sizes, flavour: str) -> None:
        graph = Graph(tmp_path, sizes, flavour)
        logits, present = graph.run(np.array([IDS]))
        assert logits.dtype == np.float32
        check_close(graph, logits[0], IDS, TOLERANCE[flavour])
        assert {value.dtype for value in present} == {graph.dtype}
        assert {value.shape for value in present} == {(1, sizes.kv_heads, len(IDS), sizes.head_dim)}

    @pytest.mark.parametrize("chunk", [1, 5])
    def test_in_chunks_with_a_cache(self, tmp_path: Path, sizes: llama.Sizes, flavour: str, chunk: int) -> None:
        graph = Graph(tmp_path, sizes, flavour)
        past, rows = None, []
        for at in range(0, len(IDS), chunk):
            logits, past = graph.run(np.array([IDS[at : at + chunk]]), past)
            rows.append(logits[0])
        check_close(graph, np.concatenate(rows), IDS, TOLERANCE[flavour])

    def test_lanes_of_a_batch(self, tmp_path: Path, sizes: llama.Sizes, flavour: str) -> None:
        graph = Graph(tmp_path, sizes, flavour)
        lanes = [IDS[:8], IDS[8:], IDS[4:12]]
        past, rows = None, []
        for at in range(8):
            logits, past = graph.run(np.array([[lane[at]] for lane in lanes]), past)
            rows.append(logits[:, 0])
        for lane, found in zip(lanes, np.stack(rows, axis=1), strict=True):
            check_close(graph, found, lane, TOLERANCE[flavour])

    def test_last_position(self, tmp_path: Path, sizes: llama.Sizes, flavour: str) -> None:
        graph = Graph(tmp_path, sizes, flavour)
        ids = (IDS * 3)[: sizes.positions]
        assert len(ids) == sizes.positions
        logits, _ = graph.run(np.array([ids]))
        check_close(graph, logits[0], ids, TOLERANCE[flavour])


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_checkpoint_types_give_the_same_graph(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Graph(tmp_path / "a", TIED, "q4"), Graph(tmp_path / "b", TIED, "q4", kind)
    assert first.raw == second.raw


def check_signature(model: onnx.ModelProto, sizes: llama.Sizes, kind: int) -> None:
    def describe(values: Any) -> dict[str, tuple[int, list[int | str]]]:
        found = {}
        for value in values:
            tensor = value.type.tensor_type
            found[value.name] = (tensor.elem_type, [d.dim_param or d.dim_value for d in tensor.shape.dim])
        return found

    int64, float32 = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    past = (kind, ["batch_size", sizes.kv_heads, "past_sequence_length", sizes.head_dim])
    present = (kind, ["batch_size", sizes.kv_heads, "total_sequence_length", sizes.head_dim])
    parts = [f"{i}.{part}" for i in range(sizes.layers) for part in ("key", "value")]
    assert describe(model.graph.input) == {
        "input_ids": (int64, ["batch_size", "sequence_length"]),
        "attention_mask": (int64, ["batch_size", "total_sequence_length"]),
        "position_ids": (int64, ["batch_size", "sequence_length"]),
        **{f"past_key_values.{part}": past for part in parts},
    }
    assert describe(model.graph.output) == {
        "logits": (float32, ["batch_size", "sequence_length", sizes.vocab]),
        **{f"present.{part}": present for part in parts},
    }


@pytest.mark.parametrize(("flavour", "kind"), [("q4f16", onnx.TensorProto.FLOAT16), ("q4", onnx.TensorProto.FLOAT)])
def test_signature_and_operators(tmp_path: Path, flavour: str, kind: int) -> None:
    model = onnx.load_from_string(Graph(tmp_path, TIED, flavour).raw)
    check_signature(model, TIED, kind)
    ops = [node.op_type for node in model.graph.node]
    wanted = {
        "GroupQueryAttention": TIED.layers,
        "RotaryEmbedding": 2 * TIED.layers,
        "MatMulNBits": 7 * TIED.layers,
        "SimplifiedLayerNormalization": 1,
        "SkipSimplifiedLayerNormalization": 2 * TIED.layers,
        "Transpose": 1,
        "MatMul": 1,
    }
    assert {op: ops.count(op) for op in wanted} == wanted
    embedding = TIED.vocab * TIED.hidden
    assert [t.name for t in model.graph.initializer if np.prod(t.dims) == embedding] == ["model.embed_tokens.weight"]


@pytest.mark.parametrize("flavour", list(FLAVOURS))
def test_same_input_same_bytes(tmp_path: Path, flavour: str) -> None:
    llama.write_checkpoint(tmp_path, TIED)
    built = [llama.graph(tmp_path, flavour) for _ in range(2)]
    assert built[0] == built[1]
    llama.write_checkpoint(tmp_path, TIED, seed=2)
    assert llama.graph(tmp_path, flavour) != built[0]
