import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmzip.errors import IntegrityError, ModelError, SetupError, UsageError, VocabularyError
from llmzip.model.loader import load_model, load_variant, record_of
from llmzip.model.manifest import ModelRecord, Variant
from llmzip.model.provenance import default_model_dir, find_record
from llmzip.model.session import SessionOptions
from support.graphs import CONFIG, Traits, graph
from support.paths import CASES, REPOSITORY, TINY

SETTINGS = SessionOptions()
HASH = "0" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of a graph with the tiny model's vocabulary size in its config, but not in the graph."""
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(graph())
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    shutil.copy(TINY / "tokenizer.json", tmp_path)
    return tmp_path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_tiny_model_is_as_the_manifest_says() -> None:
    record = find_record(TINY)
    assert record is not None
    for path, expected in record.sha256.items():
        assert sha256(TINY / path) == expected
    assert (record.window, record.overlap, record.start_token) == (512, 128, 0)
    assert record.variant("q4f16").eps == "2e-2"
    for variant in record.variants:
        model = load_variant(TINY, record, variant, SETTINGS, verify=True)
        assert model.model_sha256 == record.sha256[variant.file]
        assert model.source.vocab_size == 1536
        assert model.tokenizer.size <= 1536


def test_another_hash_is_an_integrity_error_that_names_both(folder: Path) -> None:
    model = folder / "onnx" / "model.onnx"
    with pytest.raises(IntegrityError, match=f"{sha256(model)}, expected is {HASH}"):
        load_model(folder, "onnx/model.onnx", SETTINGS, HASH)
    with pytest.raises(IntegrityError, match=r"tokenizer\.json has SHA-256"):
        load_model(folder, "onnx/model.onnx", SETTINGS, sha256(model).upper(), HASH)
    with pytest.raises(IntegrityError, match=r"config\.json has SHA-256"):
        load_model(folder, "onnx/model.onnx", SETTINGS, config_sha256=HASH)


def test_parts_that_do_not_belong_together(folder: Path) -> None:
    with pytest.raises(VocabularyError, match=r"largest id is 1535, .* vocabulary of 11"):
        load_model(folder, "onnx/model.onnx", SETTINGS)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": 12}))
    with pytest.raises(VocabularyError, match=r"vocabulary of 11, config\.json says 12"):
        load_model(folder, "onnx/model.onnx", SETTINGS)


@pytest.mark.parametrize("name", ["onnx/model.onnx", "tokenizer.json", "config.json"])
def test_missing_files_are_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SetupError, match=f"no file .*{name}"):
        load_model(folder, "onnx/model.onnx", SETTINGS)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_config_that_is_none(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json is not"):
        load_model(folder, "onnx/model.onnx", SETTINGS)


def test_a_truncated_model_file(folder: Path) -> None:
    (folder / "onnx" / "model.onnx").write_bytes(graph(Traits())[:-100])
    with pytest.raises(ModelError, match="cannot load the graph"):
        load_model(folder, "onnx/model.onnx", SETTINGS)


def test_a_folder_without_a_manifest_is_looked_at(folder: Path) -> None:
    record = record_of(folder)
    assert [(variant.dtype, variant.file) for variant in record.variants] == [("fp32", "onnx/model.onnx")]
    assert record.sha256 == {}
    with pytest.raises(UsageError, match="no variant 'q4'"):
        record.variant("q4")


@pytest.mark.parametrize("case", json.loads((CASES / "variants.json").read_text(encoding="utf-8")), ids=str)
def test_the_variants_of_a_folder_are_named_by_their_files(tmp_path: Path, case: dict[str, Any]) -> None:
    (tmp_path / "onnx").mkdir()
    for name in case["files"]:
        (tmp_path / "onnx" / name).write_bytes(b"")
    record = record_of(tmp_path)
    assert [variant.dtype for variant in record.variants] == case["variants"]
    assert record.variant().dtype == case["default"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["q4", "q4f16", "exact"], "exact"),
        (["exact", "q4f16"], "exact"),
        (["q4", "q4f16"], "q4f16"),
        (["fp16", "q4"], "fp16"),
    ],
    ids=str,
)
def test_the_variant_that_is_used_unless_one_is_named(names: list[str], expected: str) -> None:
    record = ModelRecord("some", variants=tuple(Variant(name, f"onnx/model_{name}.onnx", "0") for name in names))
    assert record.variant().dtype == expected
    assert record.variant(names[0]).dtype == names[0]
    with pytest.raises(UsageError, match="model none has no variant at all"):
        ModelRecord("none").variant()


@pytest.mark.parametrize(
    "manifest", ["x", "version = 2\nmodel = []", "version = true", 'version = 1\nmodel = [{folder = "x"}]']
)
def test_a_broken_manifest_is_never_passed_over(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.toml").write_text(manifest)
    (tmp_path / "x").mkdir()
    with pytest.raises(SetupError, match=r"manifest\.toml cannot be used: "):
        find_record(tmp_path / "x")


def test_the_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMZIP_MODEL", raising=False)
    assert default_model_dir() == REPOSITORY / "models" / "tiny"
    monkeypatch.setenv("LLMZIP_MODEL", "/elsewhere")
    assert default_model_dir() == Path("/elsewhere")
