"""The committed model: remade byte for byte, small, and a real predictor. Owns those promises."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoTokenizer

from tiny_model.cli import differences
from tiny_model.evaluate import HEADER_BYTES, measure, one_to_thousand
from tiny_model.export import FLAVOUR_FILES, GRAPH_FILES
from tiny_model.inference import OnnxModel, coded_bits
from tiny_model.manifest import manifest_text
from tiny_model.paths import MANIFEST, MODELS, TINY
from tiny_model.pieces import pieces
from tiny_model.shape import OVERLAP, START_ID, TINY_SHAPE, WINDOW


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(TINY / "tokenizer.json"))


def test_remaking_changes_no_byte() -> None:
    assert differences() == []


def manifest() -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["model"]}


def test_the_manifest_names_every_file() -> None:
    tiny = manifest()["tiny"]
    named = {entry["path"]: entry for entry in tiny["file"]}
    for path, entry in named.items():
        raw = (MODELS / tiny["folder"] / path).read_bytes()
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (entry["bytes"], entry["sha256"])
    there = {path.relative_to(TINY).as_posix() for path in TINY.rglob("*") if path.is_file()}
    assert {name for name in there if not name.startswith("samples/")} - {"README.md"} == set(named)
    assert (tiny["window"], tiny["overlap"], tiny["start_token"]) == (WINDOW, OVERLAP, START_ID)
    assert {variant["file"] for variant in tiny["variant"]} == {f"onnx/{name}" for name in GRAPH_FILES}


def test_the_manifest_pins_the_real_model() -> None:
    real = manifest()["smollm2-135m-instruct"]
    assert real["source"].endswith(real["revision"])
    unknown = [entry["path"] for entry in real["file"] if entry["sha256"] == "unknown"]
    # None of them is a variant, so that what is run is held to a hash that is known.
    assert set(unknown) <= {"onnx/model.onnx", "onnx/model_fp16.onnx"}
    assert all(len(entry["sha256"]) == 64 for entry in real["file"] if entry["path"] not in unknown)
    assert not {variant["file"] for variant in real["variant"]} & set(unknown)


def test_a_recorded_hash_outlasts_remaking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"as it was fetched").hexdigest()
    text = MANIFEST.read_text(encoding="utf-8")
    changed = text.replace('sha256 = "unknown"', f'sha256 = "{digest}"', 1)
    assert changed != text
    copy = tmp_path / "manifest.toml"
    copy.write_text(changed, encoding="utf-8")
    monkeypatch.setattr("tiny_model.manifest.MANIFEST", copy)
    assert manifest_text() == changed


def test_the_four_bit_graphs_stay_below_six_megabytes() -> None:
    assert sum((TINY / "onnx" / name).stat().st_size for name in FLAVOUR_FILES) <= 6_000_000


def test_the_exact_graph_loses_nothing(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(pieces()["prose"], add_special_tokens=False).ids
    exact, plain = (coded_bits(ids, OnnxModel(TINY / "onnx" / f"model_{name}.onnx")).sum() for name in ("exact", "q4"))
    assert exact <= 1.005 * plain


def test_the_tokenizer_covers_every_byte(tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    assert sorted(vocabulary.values()) == list(range(TINY_SHAPE.vocab))
    assert set(pre_tokenizers.ByteLevel.alphabet()) <= set(vocabulary)
    assert [tokenizer.id_to_token(i) for i in range(3)] == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    config = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == TINY_SHAPE.vocab


AWKWARD = "caf\u00e9 \u4e2d\u6587 \U0001f600\r\n\x00\t  12345"


@pytest.mark.parametrize("text", [one_to_thousand(), AWKWARD, *pieces().values()])
def test_text_comes_back(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("text", ["a\n\n273 -", "          4 bytes", AWKWARD, *pieces().values()])
def test_transformers_gives_the_same_ids(tokenizer: Tokenizer, text: str) -> None:
    loaded = AutoTokenizer.from_pretrained(TINY)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert loaded.encode(text, add_special_tokens=False) == ids
    assert loaded.decode(ids) == text


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode(one_to_thousand()).ids) == 3892


@pytest.mark.parametrize("name", GRAPH_FILES)
def test_one_to_thousand_is_cheap(tokenizer: Tokenizer, name: str) -> None:
    ids = tokenizer.encode(one_to_thousand(), add_special_tokens=False).ids
    bits = coded_bits(ids, OnnxModel(TINY / "onnx" / name)).sum()
    assert bits / 8 + HEADER_BYTES <= 400
    assert bits < 1600


@pytest.mark.parametrize("kind", list(pieces()))
@pytest.mark.parametrize("name", GRAPH_FILES)
def test_a_held_out_piece_takes_half_of_zstd(tokenizer: Tokenizer, name: str, kind: str) -> None:
    pytest.importorskip("zstandard", reason="zstandard comes with the extra `train`")
    figure = measure(kind, pieces()[kind], tokenizer, OnnxModel(TINY / "onnx" / name))
    assert figure.container_bytes <= figure.zstd_bytes / 2
