"""Faults and the codes that tell them apart, by the table that all three languages are held to.

harness/tests/errors.rs says how it is read.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmzip import errors
from llmzip.cli import main
from support.paths import CASES, GOLDEN, TINY
from support.runner import RunnerProcess

TABLE = json.loads((CASES / "errors.json").read_text(encoding="utf-8"))
EXIT_CODES = {each.code: each.exit_code for each in errors.LlmzipError.__subclasses__()}


@pytest.fixture(scope="module")
def runner() -> Iterator[RunnerProcess]:
    with RunnerProcess() as process:
        yield process


def prepare(folder: Path, case: dict[str, Any]) -> None:
    """Make the folder of a case."""
    (folder / "plain").write_bytes(b"1\n2\n3\n")
    (folder / "packed").write_bytes((GOLDEN / "tiny" / "q4" / "one-byte.llmzip").read_bytes())
    model = folder / "models" / "tiny"
    (model / "onnx").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "onnx/model_q4.onnx"):
        (model / name).write_bytes((TINY / name).read_bytes())
    if "links" in case and sys.platform == "win32":
        pytest.skip("links need a right there that not everybody has")
    for name, to in case.get("links", {}).items():
        (folder / name).symlink_to(to)
    for name, change in case.get("model", {}).items():
        if change is None:
            (model / name).unlink()
        elif isinstance(change, str):
            (model / name).write_text(change, encoding="utf-8")
        else:
            whole = json.loads((model / name).read_text(encoding="utf-8"))
            (model / name).write_text(json.dumps(changed(whole, change)), encoding="utf-8")
    manifest = case.get("manifest")
    if isinstance(manifest, list):
        manifest = "\n".join(TABLE["manifest"]).replace(*manifest)
    if manifest is not None:
        (folder / "models" / "manifest.toml").write_text(manifest, encoding="utf-8")


def changed(whole: dict[str, Any], members: Any) -> Any:
    """An object with other members; None takes one away, and what is no object takes its place."""
    if not isinstance(members, dict):
        return members
    return {name: value for name, value in (whole | members).items() if name not in members or value is not None}


def in_folder(folder: Path, value: Any) -> Any:
    """A value of the table with what it stands for in this folder."""
    if isinstance(value, dict):
        return {name: in_folder(folder, each) for name, each in value.items()}
    if not isinstance(value, str):
        return value
    if value.startswith("SHA256 "):
        file = folder / "models" / "tiny" / value.removeprefix("SHA256 ")
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0" * 64
    return value.replace("FOLDER", str(folder))


@pytest.mark.parametrize("case", TABLE["requests"]["cases"], ids=lambda case: f"{case['op']}: {case['fault']}")
def test_requests(runner: RunnerProcess, tmp_path: Path, case: dict[str, Any]) -> None:
    prepare(tmp_path, case)
    op, defaults = case["op"], TABLE["requests"]["defaults"]
    load = in_folder(tmp_path, defaults["load"])
    if case.get("unloaded"):
        assert runner.code_of("load", load | {"model_sha256": "0" * 64}) == "integrity"
    elif op not in ("hello", "load"):
        assert runner.code_of("load", load) is None
    params = changed(defaults.get(op, {}), case.get("params", {}))
    assert runner.code_of(op, in_folder(tmp_path, params)) == case["code"]


@pytest.mark.parametrize(
    "case", TABLE["commands"], ids=lambda case: f"{case['arguments'][0]}: {case['fault']}, expecting {case['code']}"
)
@pytest.mark.usefixtures("same_signals")
def test_commands(tmp_path: Path, case: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path, case)
    exit_code = main([in_folder(tmp_path, word) for word in case["arguments"]])
    shown = capsys.readouterr().err
    if case["code"] is None:
        assert exit_code == 0, shown
    else:
        assert exit_code == EXIT_CODES[case["code"]], shown
        assert f"error[{case['code']}]: " in shown
        assert not (tmp_path / "out").exists()
