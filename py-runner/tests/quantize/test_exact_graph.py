"""The exact graph has the same bits however it is fed and run, and computes what the numpy model computes. Owns these promises."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from llmzip.errors import UsageError
from llmzip.quantize import NbitsSettings, QuantizeError
from llmzip.quantize.exact import export_exact

from . import llama

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

FAMILIES = {
    "llama": llama.Sizes(),
    "llama, untied": llama.Sizes(
        vocab=128, hidden=96, inner=32, layers=3, heads=4, kv_heads=4, head_dim=32, tied=False
    ),
    "rotated in blocks": llama.Sizes(hidden=100),
    "a great epsilon": llama.Sizes(eps=0.1),
    "long rows": llama.Sizes(hidden=2048, inner=64, layers=1),
    "mistral": llama.Sizes(family="mistral", window=5),
    "qwen2": llama.Sizes(family="qwen2"),
    "qwen3": llama.Sizes(family="qwen3", head_dim=32),
}
IDS = [0, 5, 90, 33, 33, 7, 64, 12, 0, 95, 41, 2, 77, 18, 6, 50]
# What products take has 8 bits and the weights 7. Root mean square, of logits whose spread is 1; random weights of long rows make
# scores of hundreds, where one key takes all and a small error may choose another.
TOLERANCE = dict.fromkeys(FAMILIES, 0.05) | {"long rows": 0.25}
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


@dataclass
class Run:
    """One way to run a graph."""

    threads: int = 1
    level: ort.GraphOptimizationLevel = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    chunk: int = 16


RUNS = {
    "two threads": Run(threads=2),
    "not optimised": Run(level=ort.GraphOptimizationLevel.ORT_DISABLE_ALL),
    "basic": Run(level=ort.GraphOptimizationLevel.ORT_ENABLE_BASIC),
    "extended": Run(level=ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED),
    "token by token": Run(chunk=1),
    "chunks of 5": Run(chunk=5),
    "chunks of 3, not optimised": Run(chunk=3, level=ort.GraphOptimizationLevel.ORT_DISABLE_ALL),
}


def logits(content: bytes, ids: npt.NDArray[np.int64], how: Run, mask: npt.NDArray[np.int64] | None = None) -> Any:
    """Logits [batch, sequence, vocab]; a mask is for one pass only."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.graph_optimization_level = how.threads, how.level
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    caches = [each for each in session.get_inputs() if each.name.startswith("past_key_values.")]
    past = [
        np.zeros((len(ids), *(0 if isinstance(size, str) else size for size in cache.shape[1:])), TYPES[cache.type])
        for cache in caches
    ]
    rows = []
    for at in range(0, ids.shape[1], how.chunk):
        part = ids[:, at : at + how.chunk]
        total = at + part.shape[1]
        feeds = {
            "input_ids": part,
            "attention_mask": np.ones((len(ids), total), np.int64) if mask is None else mask,
            "position_ids": np.tile(np.arange(at, total), (len(ids), 1)),
            **{cache.name: value for cache, value in zip(caches, past, strict=True)},
        }
        found, *past = session.run(None, feeds)
        rows.append(found)
    return np.concatenate(rows, axis=1)


def exact(folder: Path, sizes: llama.Sizes) -> tuple[bytes, dict[str, npt.NDArray[np.float32]]]:
    weights = llama.write_checkpoint(folder, sizes)
    return export_exact(folder).content, weights


def same_bits(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> bool:
    return a.dtype == b.dtype == np.float32 and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_computes_the_model(tmp_path: Path, name: str) -> None:
    sizes = FAMILIES[name]
    content, weights = exact(tmp_path, sizes)
    found, wanted = logits(content, np.array([IDS]), Run())[0], llama.logits(weights, sizes, IDS)
    assert np.sqrt(np.square(found - wanted).mean()) <= TOLERANCE[name] * wanted.std()
    assert np.abs(found - wanted).max() <= 8 * TOLERANCE[name] * wanted.std()


@pytest.mark.parametrize("how", list(RUNS))
@pytest.mark.parametrize("name", list(FAMILIES))
def test_has_the_same_bits_however_it_is_run(tmp_path: Path, name: str, how: str) -> None:
    content, _ = exact(tmp_path, FAMILIES[name])
    assert same_bits(logits(content, np.array([IDS]), RUNS[how]), logits(content, np.array([IDS]), Run()))


@pytest.mark.parametrize("name", list(FAMILIES))
def test_lanes_do_not_see_each_other(tmp_path: Path, name: str) -> None:
    content, _ = exact(tmp_path, FAMILIES[name])
    lanes = np.array([IDS[:8], IDS[8:], IDS[4:12]])
    together = logits(content, lanes, Run(chunk=1))
    for lane, found in zip(lanes, together, strict=True):
        assert same_bits(found, logits(content, lane[None], Run())[0])


def test_padding_is_not_seen(tmp_path: Path) -> None:
    content, _ = exact(tmp_path, FAMILIES["llama"])
    ids = np.array([IDS, IDS])
    ids[1, 3] = 1
    mask = np.ones_like(ids)
    mask[:, 3] = 0
    first, second = logits(content, ids, Run(), mask)
    assert same_bits(first[4:], second[4:])
    assert not same_bits(first[4:], logits(content, ids[:1], Run())[0, 4:])


@pytest.mark.parametrize("name", list(FAMILIES))
@pytest.mark.parametrize("what", ["a token", "a head of queries", "a head of keys"])
def test_a_row_of_zeros_is_no_accident(tmp_path: Path, name: str, what: str) -> None:
    """It must not see what is masked: token by token there is nothing to see."""
    sizes = FAMILIES[name]
    weights = llama.random_weights(sizes, 1)
    if what == "a token":
        weights["model.embed_tokens.weight"][7] = 0
    else:
        part = "q_proj" if "queries" in what else "k_proj"
        weights[f"model.layers.0.self_attn.{part}.weight"][: sizes.head_dim] = 0
    llama.write_checkpoint(tmp_path, sizes)
    (tmp_path / "model.safetensors").write_bytes(llama.safetensors(weights))
    content = export_exact(tmp_path).content
    ids = np.array([[3, 7, 41, 7, 7, 90, 12]])
    whole = logits(content, ids, Run())
    assert np.isfinite(whole).all()
    assert same_bits(whole, logits(content, ids, Run(chunk=1)))


def test_the_same_input_gives_the_same_bytes_and_names_it(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, FAMILIES["llama"])
    model = export_exact(tmp_path)
    assert model.content == export_exact(tmp_path).content
    sha256 = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    props = {each.key: each.value for each in onnx.load_from_string(model.content).metadata_props}
    assert props == {"llmzip.exact": "1", "llmzip.source": "model.safetensors", "llmzip.source_sha256": sha256}
    assert f'source_sha256 = "{sha256}"' in model.manifest_entry()
    assert f'sha256 = "{hashlib.sha256(model.content).hexdigest()}"' in model.manifest_entry()


@pytest.mark.parametrize("name", ["llama", "llama, untied"])
def test_a_four_bit_file_is_a_source_too(tmp_path: Path, name: str) -> None:
    """The checkpoint's weights lie on the grid of the file, so that both give the same integers."""
    content, _ = exact(tmp_path, FAMILIES[name])
    (tmp_path / "onnx").mkdir()
    path = tmp_path / "onnx" / "model_q4f16.onnx"
    path.write_bytes(llama.graph(tmp_path, "q4f16"))
    model = export_exact(path)
    assert same_bits(logits(model.content, np.array([IDS]), Run()), logits(content, np.array([IDS]), Run()))
    assert model.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("settings", [NbitsSettings(), NbitsSettings(8, 32, 32, symmetric=False)], ids=str)
@pytest.mark.parametrize("name", ["llama", "llama, untied"])
def test_a_file_with_a_quantised_embedding_is_a_source_too(tmp_path: Path, name: str, settings: NbitsSettings) -> None:
    llama.write_checkpoint(tmp_path, FAMILIES[name])
    path = tmp_path / "model_q4.onnx"
    path.write_bytes(llama.graph(tmp_path, "q4", settings))
    found, wanted = (
        logits(export_exact(path).content, np.array([IDS]), Run()),
        logits(path.read_bytes(), np.array([IDS]), Run()),
    )
    assert np.sqrt(np.square(found - wanted).mean()) <= TOLERANCE[name] * wanted.std()


def test_the_embedding_lies_in_the_file_once(tmp_path: Path) -> None:
    sizes = llama.Sizes(vocab=104)
    content, _ = exact(tmp_path, sizes)
    graph = onnx.load_from_string(content).graph
    shape = {sizes.vocab, sizes.hidden}
    assert [t.name for t in graph.initializer if set(t.dims) == shape] == ["model.embed_tokens.rows"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("nothing", UsageError, "neither a folder nor an ONNX file"),
        ("config.json", UsageError, "neither a folder nor an ONNX file"),
        ("damaged.onnx", QuantizeError, "cannot be read|should have"),
        ("elsewhere/alone.onnx", QuantizeError, r"no config\.json"),
    ],
)
def test_refuses_what_is_no_source(tmp_path: Path, source: str, error: type[Exception], message: str) -> None:
    folder = tmp_path / "model"
    (folder / "elsewhere" / "deep").mkdir(parents=True)
    llama.write_checkpoint(folder, FAMILIES["llama"])
    (folder / "damaged.onnx").write_bytes(b"no graph")
    alone = tmp_path / "elsewhere" / "deep" / "alone.onnx"
    alone.parent.mkdir(parents=True)
    alone.write_bytes(b"")
    with pytest.raises(error, match=message):
        export_exact(alone if source.startswith("elsewhere") else folder / source)


def test_a_graph_without_four_bit_products_is_refused_by_name(tmp_path: Path) -> None:
    content, _ = exact(tmp_path, FAMILIES["llama"])
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(QuantizeError, match="a token embedding once"):
        export_exact(tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["mistral", "qwen2", "qwen3"])
def test_the_four_bit_builder_refuses_other_families(tmp_path: Path, name: str) -> None:
    llama.write_checkpoint(tmp_path, FAMILIES[name])
    with pytest.raises(QuantizeError, match=name):
        llama.graph(tmp_path, "q4")
