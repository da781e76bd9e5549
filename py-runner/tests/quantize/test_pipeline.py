"""The command's whole way without PyTorch: the own exporter, no validation. Real processes and files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from llmzip.model.loader import load_variant, record_of
from llmzip.model.session import SessionOptions
from llmzip.quantize.nbits import PRESETS
from llmzip.quantize.pipeline import Request, quantize_checkpoint
from llmzip.quantize.source import read_folder
from support.paths import PY_RUNNER, TINY

OWN = ("--exporter", "own", "--no-validate")


def quantize(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmzip", "quantize", *map(str, words)]
    environment = {"PYTHONPATH": str(PY_RUNNER / "src"), "PATH": os.environ["PATH"]}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)


def test_a_checkpoint_becomes_a_folder_that_the_runner_loads(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = quantize(TINY, "--out", out, *OWN, "--licence", "MIT")
    assert done.returncode == 0, done.stderr
    assert {each.name for each in tmp_path.iterdir()} == {"mine", "manifest.toml"}
    record = record_of(out)
    assert [each.dtype for each in record.variants] == ["exact", "q4f16", "q4"]
    for variant in record.variants:
        model = load_variant(out, record, variant, SessionOptions(), verify=True)
        assert model.tokenizer.encode("1\n2")
    assert "quantization.json" in record.sha256
    entry = tomllib.loads((tmp_path / "manifest.toml").read_text())["model"][0]
    assert (entry["licence"], entry["window"], entry["overlap"]) == ("MIT", 512, 128)
    report = json.loads((out / "quantization.json").read_text())
    assert report["export"]["exporter"] == "own"
    assert report["settings"] == {
        "bits": 4,
        "matmul_group": 16,
        "embedding_group": 16,
        "scale": "least-squares",
        "symmetric": True,
    }
    assert report["axes"]["q4f16"]["runs"] == 18
    assert report["validation"] is None
    runs = {name: [each["runs"] for each in builds.values()] for name, builds in report["runtimes"].items()}
    # transformers.js's build lacks the op of a quantised embedding.
    assert runs == {"exact": [True] * 3, "q4f16": [True, True, False], "q4": [True, True, False]}
    assert "does not run in onnxruntime-web, asyncify" in done.stderr
    config = json.loads((out / "config.json").read_text())
    assert config["transformers.js_config"]["kv_cache_dtype"] == {"q4f16": "float16"}
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {"exact", "q4f16", "q4"}


def test_what_is_asked_for_is_what_is_made(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    words = (
        "--activations",
        "fp32",
        "--group-size",
        "32",
        "--no-embeddings",
        "--zero-points",
        "--split-mib",
        "2",
        "-q",
    )
    done = quantize(TINY, "--out", out, *OWN, *words)
    assert (done.returncode, done.stderr) == (0, "")
    names = {each.name for each in (out / "onnx").iterdir()}
    assert names >= {"model_q4.onnx", "model_q4.onnx_data", "model_q4.onnx_data_1"}
    settings = json.loads((out / "quantization.json").read_text())["settings"]
    assert (settings["matmul_group"], settings["embedding_group"], settings["symmetric"]) == (32, None, False)


def left(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--bits", "3"], 2, "bits: 3 is none that the op takes"),
        (["--group-size", "24"], 2, "group size of MatMulNBits: 24"),
        (["--group-size", "256"], 2, "group size of GatherBlockQuantized: 256"),
        (["--activations", "fp64"], 2, "--activations"),
        (["--validate", "x"], 2, "leaves nothing to measure"),
        (["--stand-in", "smollm2-135m"], 2, "one source is needed"),
        (["--split-mib", "0"], 2, "1 or more"),
        (["-o", "x"], 2, "-o does nothing for a model folder"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_made(
    tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = quantize(TINY, "--out", tmp_path / "mine", *OWN, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert left(tmp_path) == []


def test_a_folder_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "own").write_text("mine")
    done = quantize(TINY, "--out", out, *OWN)
    assert done.returncode == 2
    assert "is already there" in done.stderr
    assert left(out) == ["own"]
    done = quantize(TINY, "--out", out, *OWN, "--activations", "fp32", "-f")
    assert done.returncode == 0, done.stderr
    assert "own" not in left(out)


def test_a_place_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = quantize(TINY, "--out", tmp_path / "no" / "mine", *OWN)
    assert done.returncode == 2
    assert "there is no folder" in done.stderr
    assert left(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_a_disk_that_is_full_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415 - not on every system

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = quantize(TINY, "--out", tmp_path / "mine", *OWN, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[io]: cannot write" in done.stderr
    assert left(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a console's interruption reaches every process there")
def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "llmzip", "quantize", str(TINY), "--out", str(tmp_path / "mine"), *OWN]
    environment = {"PYTHONPATH": str(PY_RUNNER / "src"), "PATH": os.environ["PATH"]}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        lines = []
        for line in child.stderr:
            lines.append(line)
            if "quantising" in line:
                child.send_signal(signal.SIGTERM)
        code = child.wait()
    assert code == 130, lines
    assert "error[interrupted]" in "".join(lines)
    assert left(tmp_path) == []


def test_the_same_checkpoint_gives_the_same_graphs(tmp_path: Path) -> None:
    def graphs(name: str) -> list[bytes]:
        request = Request(tmp_path / name, PRESETS["llmzip"], ("fp16", "fp32"), "own", validate=False)
        quantize_checkpoint(read_folder(TINY, "tiny"), request, lambda _text: None)
        return [each.read_bytes() for each in sorted((tmp_path / name / "onnx").iterdir())]

    assert graphs("one") == graphs("two")
