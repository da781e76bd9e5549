"""Damaged and foreign checkpoints are refused by name. Owns the reader's errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from llmzip.quantize import Checkpoint, CheckpointError, QuantizeError
from llmzip.quantize.safetensors import SafetensorsFile

from . import llama

if TYPE_CHECKING:
    from pathlib import Path

SIZES = llama.Sizes()


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_reads_each_float_type(tmp_path: Path, kind: str) -> None:
    weights = llama.write_checkpoint(tmp_path, SIZES, kind=kind)
    file = SafetensorsFile(tmp_path / "model.safetensors")
    assert file.names() == list(weights)
    for name, wanted in weights.items():
        found = file.float32(name, wanted.shape)
        assert found.dtype == np.float32
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, 'model_type is "gpt2"'),
        ({"hidden_act": "gelu"}, 'hidden_act is "gelu"'),
        ({"attention_bias": True}, "attention_bias is true"),
        ({"mlp_bias": True}, "mlp_bias is true"),
        ({"rope_scaling": {"factor": 2}}, "rope_scaling is"),
        ({"rope_interleaved": True}, "rope_interleaved is true"),
        ({"rope_parameters": {"rope_type": "yarn"}}, 'rope_type is "yarn"'),
        ({"use_sliding_window": True}, "use_sliding_window is set"),
        ({"vocab_size": None}, "a wrong field: vocab_size is null"),
        ({"hidden_size": "many"}, 'a wrong field: hidden_size is "many"'),
        ({"hidden_act": None}, "hidden_act is null"),
    ],
)
def test_refuses_a_foreign_config(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    (tmp_path / "config.json").write_text(json.dumps({**llama.config(SIZES), **change}))
    with pytest.raises(CheckpointError, match=message):
        Checkpoint(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": []},
        {"rope_parameters": [1]},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": -1},
        {"hidden_size": float("inf")},
        {"num_attention_heads": 0},
        {"max_position_embeddings": 0},
        {"rope_theta": -1.0},
        {"rms_norm_eps": 0},
        {"num_key_value_heads": 64},
        {"vocab_size": 1 << 40},
    ],
    ids=str,
)
def test_refuses_sizes_that_are_none(tmp_path: Path, change: dict[str, Any]) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Checkpoint(tmp_path)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
def test_the_activation_that_is_not_said_is_the_familys(tmp_path: Path, family: str) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes(family=family))
    config = llama.config(llama.Sizes(family=family))
    wanted = Checkpoint(tmp_path).config
    del config["hidden_act"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Checkpoint(tmp_path).config == wanted


@pytest.mark.parametrize("name", ["vocab_size", "rms_norm_eps", "max_position_embeddings"])
def test_a_field_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    config = llama.config(SIZES)
    del config[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"has no {name}"):
        Checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_refuses_a_config_that_is_no_object(tmp_path: Path, text: str) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Checkpoint(tmp_path)


def test_theta_may_stand_in_rope_parameters(tmp_path: Path) -> None:
    config = llama.config(SIZES)
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": config.pop("rope_theta")}
    llama.write_checkpoint(tmp_path, SIZES)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Checkpoint(tmp_path).config.rope_theta == SIZES.theta


def damaged(raw: bytes) -> dict[str, bytes]:
    """Files that must be refused, by what is wrong with them."""
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    name = "model.norm.weight"

    def with_entry(**change: object) -> bytes:
        text = json.dumps({**header, name: {**header[name], **change}}).encode()
        return len(text).to_bytes(8, "little") + text + raw[8 + length :]

    return {
        "empty": b"",
        "no header": raw[:5],
        "header longer than the file": (len(raw)).to_bytes(8, "little") + raw[8:],
        "header of 2^63 bytes": (1 << 63).to_bytes(8, "little") + raw[8:],
        "header that is not JSON": raw[:8] + b"[" + raw[9:],
        "header that is no object": (2).to_bytes(8, "little") + b"[]",
        "data cut off": raw[:-1] if list(header)[-1] == name else raw[: 8 + length + 10],
        "wrong shape": with_entry(shape=[SIZES.hidden + 1]),
        "negative offset": with_entry(data_offsets=[-4, SIZES.hidden * 4 - 4]),
        "offsets past the end": with_entry(data_offsets=[len(raw), len(raw) + SIZES.hidden * 4]),
        "offsets of the wrong length": with_entry(data_offsets=[0, 4]),
        "offsets missing": with_entry(data_offsets=None),
        "integer type": with_entry(dtype="I64"),
    }


@pytest.mark.parametrize("what", list(damaged(llama.safetensors(llama.random_weights(SIZES, 1)))))
def test_refuses_a_damaged_file(tmp_path: Path, what: str) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    path = tmp_path / "model.safetensors"
    path.write_bytes(damaged(path.read_bytes())[what])
    with pytest.raises(CheckpointError, match=r"model\.safetensors") as error:
        llama.graph(tmp_path, "q4")
    assert error.value.hint


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        Checkpoint(tmp_path)


def test_refuses_a_missing_tensor(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    weights = llama.random_weights(SIZES, 1)
    del weights["model.layers.1.mlp.up_proj.weight"]
    (tmp_path / "model.safetensors").write_bytes(llama.safetensors(weights))
    with pytest.raises(CheckpointError, match=r"no tensor 'model\.layers\.1\.mlp\.up_proj\.weight'"):
        llama.graph(tmp_path, "q4")


def test_refuses_values_beyond_float16(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, SIZES)
    weights = llama.random_weights(SIZES, 1)
    weights["model.norm.weight"][3] = 1e6
    (tmp_path / "model.safetensors").write_bytes(llama.safetensors(weights))
    llama.graph(tmp_path, "q4")
    with pytest.raises(QuantizeError, match=r"model\.norm\.weight has values that float16 cannot hold"):
        llama.graph(tmp_path, "q4f16")
