"""The command `quantize`: real processes and files. Owns its words and exit codes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import onnx
import pytest

from llmzip.exact import check
from llmzip.model.provenance import find_record
from llmzip.quantize.exact import export_exact
from support.paths import PY_RUNNER, REPOSITORY, TINY

from . import llama

if TYPE_CHECKING:
    from pathlib import Path


def quantize(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmzip", "quantize", *map(str, words)]
    return subprocess.run(
        command, env={"PYTHONPATH": str(PY_RUNNER / "src")}, capture_output=True, text=True, check=False
    )


def test_writes_the_graph_beside_its_checkpoint_and_says_its_lines_of_the_manifest(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes())
    done = quantize("--exact", tmp_path)
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "onnx" / "model_exact.onnx").read_bytes()
    assert content == export_exact(tmp_path).content
    assert check(content).exact
    entry = tomllib.loads(done.stdout)["model"]
    assert entry["variant"] == [{"dtype": "exact", "file": "onnx/model_exact.onnx", "activation": "exact", "eps": "0"}]
    assert entry["file"][0]["bytes"] == len(content)


def test_positions_are_those_of_the_graph(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes())
    done = quantize("--exact", tmp_path, "--positions", "12", "-o", tmp_path / "short.onnx")
    assert done.returncode == 0, done.stderr
    assert "for the first 12 of 48 positions" in done.stderr
    assert (tmp_path / "short.onnx").read_bytes() == export_exact(tmp_path, 12).content


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--exact", "nothing"], 2, "neither a folder nor an ONNX file"),
        (["--exact", "OWNER/NAME"], 2, "OWNER/NAME is neither a folder nor an ONNX file"),
        (["--widen", "OWNER/NAME"], 1, "cannot read OWNER/NAME"),
        (["--exact", ".", "-o", "there.onnx"], 2, "is already there"),
        (["--exact", ".", "-o", "no/folder.onnx"], 1, "cannot write"),
        (["."], 2, "--exact"),
        (["--widen", "nothing.onnx"], 1, "cannot read"),
        (["--widen", "there.onnx", "-o", "new.onnx"], 1, "no ONNX file"),
        (["--widen"], 2, "--widen makes one graph"),
        (["--widen", "--exact", "."], 2, "give one of them"),
        (["--exact", ".", "--positions", "49"], 2, "hint: give --positions 48 or less"),
        (["--exact", ".", "--positions", "0"], 2, "a whole number, 1 or more"),
        (["--widen", "there.onnx", "--positions", "4"], 2, "--positions does nothing for --widen"),
        (["--exact", "--stand-in", "smollm2-135m"], 2, "--stand-in does nothing for --exact"),
        ([".", "--stand-in", "smollm2-135m", "--out", "new"], 2, "one source is needed"),
        (["--out", "new"], 2, "one source is needed"),
        (["--install", "--exact", "."], 2, "give one of them"),
    ],
)
def test_refuses_with_words_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes())
    (tmp_path / "there.onnx").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    done = quantize(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.onnx").read_bytes() == b"mine"


def test_widens_a_q4f16_file_and_names_it_as_the_source(tmp_path: Path) -> None:
    (tmp_path / "model_q4f16.onnx").write_bytes((TINY / "onnx" / "model_q4f16.onnx").read_bytes())
    done = quantize("--widen", tmp_path / "model_q4f16.onnx")
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "model_q4.onnx").read_bytes()
    entry = tomllib.loads(done.stdout)["model"]
    assert entry["variant"] == [{"dtype": "q4", "file": "onnx/model_q4.onnx", "activation": "float32", "eps": "2e-4"}]
    (file,) = entry["file"]
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert file["source_sha256"] == hashlib.sha256((tmp_path / "model_q4f16.onnx").read_bytes()).hexdigest()
    # The tiny model's weights are float16 in its checkpoint already: but for the rotary tables, widening gives its q4 file.
    widened, made = (
        _tensors(onnx.load_from_string(raw)) for raw in (content, (TINY / "onnx" / "model_q4.onnx").read_bytes())
    )
    assert {name for name in made if made[name] != widened[name]} == {"cos_cache", "sin_cache"}
    assert quantize("--widen", tmp_path / "model_q4.onnx", "-o", tmp_path / "again.onnx").returncode == 1


def _tensors(model: onnx.ModelProto) -> dict[str, bytes]:
    return {tensor.name: tensor.SerializeToString(deterministic=True) for tensor in model.graph.initializer}


def test_a_damaged_checkpoint_leaves_no_file(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    done = quantize("--exact", tmp_path)
    assert done.returncode == 1
    assert "outside the file or of the wrong length" in done.stderr
    assert not (tmp_path / "onnx").exists()


def test_the_manifest_of_the_document_and_the_printed_lines_make_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "FOLDER"
    folder.mkdir()
    llama.write_checkpoint(folder, llama.Sizes())
    (folder / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    text = (REPOSITORY / "EXACT.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    for name in ("config.json", "tokenizer.json"):
        assert f"SHA-256 OF {name}" in text
        text = text.replace(f"SHA-256 OF {name}", hashlib.sha256((folder / name).read_bytes()).hexdigest())
    done = quantize("--exact", folder)
    assert done.returncode == 0, done.stderr
    (tmp_path / "manifest.toml").write_text(text + "\n" + done.stdout, encoding="utf-8")
    record = find_record(folder)
    assert record is not None
    assert (record.name, record.variant("exact").file) == ("NAME", "onnx/model_exact.onnx")
    for name in ("config.json", "tokenizer.json", "onnx/model_exact.onnx"):
        assert record.sha256[name] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
