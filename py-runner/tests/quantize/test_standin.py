"""The stand-in's promises: its shape is the real one's, and its bytes follow from the seed."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from llmzip.errors import UsageError
from llmzip.quantize import FLAVOURS, Checkpoint, quantized_flavours, serialised
from llmzip.quantize.export.own import export_own
from llmzip.quantize.standin import STAND_INS, StandIn, make_checkpoint, stand_in
from support.paths import TINY

if TYPE_CHECKING:
    from pathlib import Path

REAL_BYTES = {"q4f16": 117_691_126, "q4": 182_068_553}
REAL_CHECKPOINT_BYTES = 269_060_552
SHA256 = "07b20f6102007da70f97a4aabc381803490a6902f1d083a58c58d1de89efc1a7"


def small() -> StandIn:
    """The stand-in with few layers, a small vocabulary and few positions."""
    real = stand_in("smollm2-135m")
    config = {**real.config, "num_hidden_layers": 2, "vocab_size": 1536, "max_position_embeddings": 64}
    return dataclasses.replace(real, config=config)


def made(folder: Path, seed: int) -> bytes:
    folder.mkdir()
    make_checkpoint(small(), folder, seed, TINY)
    return (folder / "model.safetensors").read_bytes()


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = made(tmp_path / "a", 7), made(tmp_path / "b", 7), made(tmp_path / "c", 8)
    assert first == again
    assert first != other


def test_the_bytes_are_those_of_every_machine(tmp_path: Path) -> None:
    assert hashlib.sha256(made(tmp_path / "a", 0)).hexdigest() == SHA256


def test_weights_have_the_deviation_of_the_configuration(tmp_path: Path) -> None:
    made(tmp_path / "a", 0)
    checkpoint = Checkpoint(tmp_path / "a")
    for weight in (checkpoint.embedding(), checkpoint.linear(1, "mlp.down_proj")):
        assert weight.std() == pytest.approx(small().config["initializer_range"], rel=0.01)
        assert abs(weight.mean()) < 0.001
    assert checkpoint.norm("norm").mean() == pytest.approx(1, abs=0.02)
    assert not np.array_equal(checkpoint.linear(0, "self_attn.k_proj"), checkpoint.linear(0, "self_attn.v_proj"))


def test_tokenizer_and_configuration_come_with_it(tmp_path: Path) -> None:
    made(tmp_path / "a", 0)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (TINY / "tokenizer.json").read_bytes()


def test_the_progress_ends_where_it_said(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    make_checkpoint(small(), tmp_path, 0, TINY, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(len(seen)))
    assert seen[-1] == (20, 20)


def test_refuses_what_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no stand-in 'gpt-5'"):
        stand_in("gpt-5")
    with pytest.raises(UsageError, match=r"has no tokenizer\.json"):
        make_checkpoint(small(), tmp_path, 0, tmp_path)


@pytest.mark.parametrize("name", list(STAND_INS))
def test_the_files_have_the_real_ones_sizes(tmp_path: Path, name: str) -> None:
    chosen = stand_in(name)
    make_checkpoint(chosen, tmp_path, 0, TINY)
    size = (tmp_path / "model.safetensors").stat().st_size
    assert abs(size - REAL_CHECKPOINT_BYTES) < 0.0001 * REAL_CHECKPOINT_BYTES
    graphs = quantized_flavours(export_own(Checkpoint(tmp_path)), chosen.settings)
    for flavour in FLAVOURS:
        size = len(serialised(graphs[flavour]))
        assert abs(size - REAL_BYTES[flavour]) < 0.01 * REAL_BYTES[flavour]
