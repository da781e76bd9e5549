"""transformers.js itself loads what is made, offline, whole and split, and computes there what is computed here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from llmzip.model.loader import load_variant, record_of
from llmzip.model.session import SessionOptions
from llmzip.quantize.nbits import PRESETS
from llmzip.quantize.pipeline import Request, quantize_checkpoint
from llmzip.quantize.source import read_folder
from support import javascript
from support.classes import log_probs, tolerance
from support.paths import TINY

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 24


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model folders of the tiny model's checkpoint, made by the whole pipeline but its validation."""
    root = tmp_path_factory.mktemp("models")
    for name, mib in (("whole", None), ("split", 1)):
        request = Request(root / name, PRESETS["llmzip"], ("fp16", "fp32"), "own", split_mib=mib, validate=False)
        quantize_checkpoint(read_folder(TINY, "tiny"), request, lambda _text: None)
    return {name: root / name for name in ("whole", "split")}


@pytest.mark.parametrize("variant", ["q4", "q4f16"])
@pytest.mark.parametrize("name", ["whole", "split"])
def test_transformers_js_computes_what_is_computed_here(folders: dict[str, Path], name: str, variant: str) -> None:
    folder = folders[name]
    assert (folder / "onnx" / f"model_{variant}.onnx_data").exists() == (name == "split")
    record = record_of(folder)
    model = load_variant(folder, record, record.variant(variant), SessionOptions(), verify=True)
    text = (TINY / "samples" / "piece-prose.txt").read_text(encoding="utf-8")
    ids = [record.start_token, *model.tokenizer.encode(text)][:LENGTH]
    told = javascript.told("transformers-folder.mjs", str(folder), variant, json.dumps(ids))
    found = np.fromfile(told["rows"], "<f4").reshape(LENGTH, -1)
    model.source.reset(1)
    wanted = model.source.feed(np.array([ids], np.int64))[0].astype(np.float32)
    assert found.shape == wanted.shape
    differences = np.abs(log_probs(found) - log_probs(wanted))
    assert differences.max() <= tolerance(variant)
    generated = told["generated"]
    assert len(generated) == 8
    # Greedy search takes a token that is the most likely one here too, as far as the tolerance lets it be told.
    for token in generated:
        row = log_probs(model.source.feed(np.array([[ids[-1]]], np.int64))[0] if ids[LENGTH:] else wanted[-1:])[-1]
        assert row.max() - row[token] <= 2 * tolerance(variant)
        ids.append(token)
