"""The command `quantize`: real processes and files. Owns its words and exit codes."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from llmzip.exact import check
from llmzip.quantize.exact import export_exact
from support.paths import PY_RUNNER

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


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--exact", "nothing"], 2, "neither a folder nor an ONNX file"),
        (["--exact", ".", "-o", "there.onnx"], 2, "is already there"),
        (["--exact", ".", "-o", "no/folder.onnx"], 1, "cannot write"),
        (["."], 2, "--exact"),
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


def test_a_damaged_checkpoint_leaves_no_file(tmp_path: Path) -> None:
    llama.write_checkpoint(tmp_path, llama.Sizes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    done = quantize("--exact", tmp_path)
    assert done.returncode == 1
    assert "outside the file or of the wrong length" in done.stderr
    assert not list((tmp_path / "onnx").iterdir())
