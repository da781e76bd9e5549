"""What is taken as a checkpoint of a decoder, and what is refused with which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmzip.errors import LlmzipError, SetupError, UsageError
from llmzip.quantize.errors import CheckpointError
from llmzip.quantize.source import open_source, read_folder

if TYPE_CHECKING:
    from pathlib import Path

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}


def write(folder: Path, config: object, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name in names or ("model.safetensors", "tokenizer.json"):
        (folder / name).write_bytes(b"x")
    return folder


def refused(folder: Path, words: str) -> LlmzipError:
    with pytest.raises(CheckpointError, match=words) as caught:
        read_folder(folder, "it")
    assert caught.value.hint
    return caught.value


def test_a_decoder_is_known_by_its_family_and_weights(tmp_path: Path) -> None:
    found = open_source(str(write(tmp_path, LLAMA)))
    assert (found.family, found.architecture, found.weights) == ("llama", "LlamaForCausalLM", ("model.safetensors",))
    assert found.identity().sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, r"an encoder only \(BertForMaskedLM\)"),
        ({"model_type": "roberta", "architectures": ["RobertaModel"]}, "an encoder only"),
        ({"model_type": "newer", "architectures": ["NewerForMaskedLM"]}, "an encoder only"),
        (
            {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
            "an encoder and a decoder",
        ),
        (
            {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]},
            "no decoder with a head for tokens",
        ),
        ({**LLAMA, "auto_map": {"AutoModelForCausalLM": "evil.Model"}}, "runs by code of its own"),
        ({**LLAMA, "quantization_config": {"bits": 4}}, "quantised already"),
        ({"model_type": "llama"}, "does not say its model_type and architectures"),
        ({"architectures": ["LlamaForCausalLM"]}, "does not say its model_type and architectures"),
        ([], "not a JSON object"),
    ],
)
def test_what_is_no_decoder_is_refused_by_name(tmp_path: Path, config: Any, words: str) -> None:
    refused(write(tmp_path, config), words)


def test_a_bert_that_is_a_decoder_is_none_of_the_encoders(tmp_path: Path) -> None:
    config = {"model_type": "bert", "architectures": ["BertLMHeadModel"], "is_decoder": True}
    assert read_folder(write(tmp_path, config), "it").family == "bert"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("model.safetensors",), "has no tokenizer.json"),
        (("tokenizer.json",), "neither model.safetensors nor"),
        (("tokenizer.json", "pytorch_model.bin"), "neither model.safetensors nor"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    refused(write(tmp_path, LLAMA, *names), words)


def test_a_folder_without_config_and_a_config_that_is_none_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "has no config.json")
    (tmp_path / "config.json").write_text("[" * 100_000)
    refused(tmp_path, "is no JSON")


@pytest.mark.parametrize("name", ["../secret", "missing.safetensors", "/etc/passwd"])
def test_an_index_names_only_files_that_are_beside_it(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "model", LLAMA, "tokenizer.json")
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    refused(folder, "which its model.safetensors.index.json names")


def test_several_files_are_known_by_one_hash_that_any_of_them_changes(tmp_path: Path) -> None:
    folder = write(tmp_path, LLAMA, "tokenizer.json", "a.safetensors", "b.safetensors")
    index = {"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    found = read_folder(folder, "it")
    assert found.weights == ("a.safetensors", "b.safetensors")
    before = found.identity()
    (folder / "b.safetensors").write_bytes(b"y")
    assert found.identity() != before


def test_what_is_neither_a_folder_nor_a_hub_id_is_a_wrong_command(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"")
    for source in (str(file), "nothing", "a/b/c", "../x", "", "/no/such"):
        with pytest.raises(UsageError, match="neither a folder nor a hub id"):
            open_source(source)
    with pytest.raises(UsageError, match="no revisions"):
        open_source(str(tmp_path), "main")


def test_a_hub_id_is_taken_from_the_cache_where_the_hub_may_not_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants as constants  # noqa: PLC0415 - slow

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--someone--model"
    write(cached / "snapshots" / commit, LLAMA)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    found = open_source("someone/model")
    assert (found.origin, found.revision) == ("someone/model", commit)
    with pytest.raises(SetupError, match="did not give someone/other") as caught:
        open_source("someone/other")
    assert "HF_HUB_OFFLINE" in caught.value.hint
