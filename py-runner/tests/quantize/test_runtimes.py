"""What is made here loads in every runtime that the table of ops says, and computes there what it computes in Python."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

from llmzip.model.tokenizer import Tokenizer
from llmzip.quantize import FLAVOURS, PRESETS, Checkpoint, quantized_flavours, serialised
from llmzip.quantize.activations.types import output_types
from llmzip.quantize.artefacts import Weights, model_folder
from llmzip.quantize.export.own import export_own
from llmzip.quantize.manifest import Origin
from llmzip.quantize.ops import RUNTIMES, compatibility, ops
from llmzip.quantize.widened import widen_file
from support import javascript
from support.classes import log_probs, tolerance
from support.paths import TINY

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

# GroupQueryAttention takes several lanes after a past only token by token.
PASSES = (17, 1, 1)
BUILDS = dict(zip([runtime.name for runtime in RUNTIMES], javascript.BUILDS, strict=True))
ORIGIN = Origin("a test", "MIT OR Apache-2.0", 512, 128, 0)


@cache
def graphs(preset: str) -> dict[str, onnx.ModelProto]:
    return quantized_flavours(export_own(Checkpoint(TINY)), PRESETS[preset])


def text_ids() -> npt.NDArray[np.int64]:
    tokenizer = Tokenizer((TINY / "tokenizer.json").read_bytes())
    ids = tokenizer.encode((TINY / "samples" / "piece-prose.txt").read_text(encoding="utf-8"))
    return np.array(ids[: 2 * sum(PASSES)], np.int64).reshape(2, -1)


def in_python(graph: Path, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
    caches = [each for each in session.get_inputs() if each.name.startswith("past_key_values.")]
    sizes = [[0 if isinstance(size, str) else size for size in each.shape[1:]] for each in caches]
    past = [np.zeros((len(ids), *size), kinds[each.type]) for each, size in zip(caches, sizes, strict=True)]
    rows, at = [], 0
    for length in PASSES:
        total = at + length
        feeds = {
            "input_ids": ids[:, at:total],
            "attention_mask": np.ones((len(ids), total), np.int64),
            "position_ids": np.tile(np.arange(at, total), (len(ids), 1)),
            **{each.name: value for each, value in zip(caches, past, strict=True)},
        }
        found, *past = session.run(None, feeds)
        rows.append(found)
        at = total
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize("build", ["node", "plain"])
@pytest.mark.parametrize("flavour", list(FLAVOURS))
@pytest.mark.parametrize("preset", list(PRESETS))
def test_computes_in_javascript_what_it_does_here(tmp_path: Path, preset: str, flavour: str, build: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(serialised(graphs(preset)[flavour]))
    ids = text_ids()
    wanted, found = in_python(path, ids), javascript.logits(build, path, ids, PASSES)
    assert found.shape == wanted.shape
    assert np.abs(log_probs(found) - log_probs(wanted)).max() <= tolerance(flavour)


@pytest.mark.parametrize("build", ["node", "plain"])
def test_a_widened_file_agrees_as_float32_does(tmp_path: Path, build: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(widen_file(TINY / "onnx" / "model_q4f16.onnx").content)
    ids = text_ids()
    wanted, found = in_python(path, ids), javascript.logits(build, path, ids, PASSES)
    assert np.abs(log_probs(found) - log_probs(wanted)).max() <= tolerance("q4")


@pytest.mark.parametrize("build", javascript.BUILDS)
def test_an_exact_graph_has_the_same_bits_everywhere(tmp_path: Path, build: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((TINY / "onnx" / "model_exact.onnx").read_bytes())
    ids = text_ids()
    assert javascript.logits(build, path, ids, PASSES).tobytes() == in_python(path, ids).tobytes()


@pytest.mark.parametrize("build", ["node", "plain"])
def test_split_weights_are_found(tmp_path: Path, build: str) -> None:
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(serialised(graphs("llmzip")["q4"]))
    out = tmp_path / "split"
    with model_folder(out, {}, TINY, ORIGIN, Weights("model.safetensors", "0" * 64), overwrite=False) as staged:
        staged.add_graph("q4", graphs("llmzip")["q4"], split_mib=1)
    data = sorted((out / "onnx").glob("*_data*"))
    assert len(data) == 3
    assert all(path.stat().st_size <= 1 << 20 for path in data)
    graph = out / "onnx" / "model_q4.onnx"
    ids = text_ids()
    assert in_python(graph, ids).tobytes() == in_python(whole, ids).tobytes()
    found, wanted = javascript.logits(build, graph, ids, PASSES, data), javascript.logits(build, whole, ids, PASSES)
    assert found.tobytes() == wanted.tobytes()


def probes(model: onnx.ModelProto) -> dict[tuple[str, str], onnx.ModelProto]:
    """A graph of one node for each op of `model`: constants stay constants, everything else becomes an input of no known shape."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    types = {name: int(tensor.data_type) for name, tensor in constants.items()}
    types |= {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    found: dict[tuple[str, str], onnx.ModelProto] = {}
    for node in model.graph.node:
        kinds = output_types(node, types)
        types |= dict(zip(node.output, kinds, strict=True))
        if (node.domain, node.op_type) in found:
            continue
        names = dict.fromkeys(name for name in node.input if name)
        inputs = [helper.make_tensor_value_info(name, types[name], None) for name in names if name not in constants]
        outputs = [helper.make_tensor_value_info(name, types[name], None) for name in node.output if name]
        graph = helper.make_graph([node], "probe", inputs, outputs, [constants[n] for n in names if n in constants])
        found[node.domain, node.op_type] = helper.make_model(
            graph, opset_imports=model.opset_import, ir_version=model.ir_version
        )
    return found


def every_graph() -> list[onnx.ModelProto]:
    made: list[onnx.ModelProto] = [onnx.load(TINY / "onnx" / "model_exact.onnx")]
    for preset in PRESETS:
        made += graphs(preset).values()
    return made


@pytest.mark.parametrize("runtime", RUNTIMES, ids=[runtime.name for runtime in RUNTIMES])
def test_each_build_lacks_what_the_table_says(tmp_path: Path, runtime: Any) -> None:
    requests, probed = [], []
    for index, model in enumerate(every_graph()):
        for op, probe in probes(model).items():
            path = tmp_path / f"{index}.{op[1]}.onnx"
            path.write_bytes(serialised(probe))
            requests.append({"graph": str(path)})
            probed.append(op)
    errors = javascript.answers(BUILDS[runtime.name], requests)
    failed = {op: error for op, error in zip(probed, errors, strict=True) if error is not None}
    assert all("kernel" in error or "find an implementation" in error for error in failed.values()), failed
    assert set(failed) == runtime.missing
    assert len(set(probed)) > 20


def test_a_quantised_embedding_is_told_of_before_it_fails() -> None:
    told = {each.runtime.name: each for each in compatibility(graphs("llmzip")["q4f16"])}
    assert [each.runs for each in told.values()] == [True, True, False]
    assert "lacks com.microsoft::GatherBlockQuantized" in told["onnxruntime-web, asyncify"].line()
    assert all(each.runs for each in compatibility(graphs("transformers-js")["q4f16"]))
    assert ops(graphs("llmzip")["q4"].graph)["com.microsoft", "MatMulNBits"] == 43
