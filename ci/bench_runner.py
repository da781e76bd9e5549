"""The runners as a measurement needs them: started as `harness/src/cli/runners.rs` starts them, asked as PROTOCOL.md says.

Owns processes and lines; knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release" / ("llmzip.exe" if os.name == "nt" else "llmzip")
# How long a runner may take to exit after `bye`, in seconds.
GRACE = 10


class BenchError(Exception):
    """A measurement cannot be taken; says why."""


@dataclass(frozen=True)
class Model:
    """A variant of a model in the manifest."""

    folder: Path
    file: str
    sha256: str
    tokenizer_sha256: str
    start_token: int
    window: int
    overlap: int

    @classmethod
    def of_manifest(cls, name: str, variant: str) -> Model:
        """The variant called so; raises `BenchError` where the manifest has none."""
        manifest = tomllib.loads((ROOT / "models" / "manifest.toml").read_text(encoding="utf-8"))
        for model in manifest["model"]:
            files = {file["path"]: file.get("sha256", "") for file in model.get("file", [])}
            for entry in model["variant"]:
                if (model["name"], entry["dtype"]) == (name, variant):
                    return cls(
                        folder=ROOT / "models" / model["folder"],
                        file=entry["file"],
                        sha256=files[entry["file"]],
                        tokenizer_sha256=files[model["tokenizer"]],
                        start_token=model["start_token"],
                        window=model["window"],
                        overlap=model["overlap"],
                    )
        raise BenchError(f"models/manifest.toml has no {name}/{variant}")


def commands() -> dict[str, list[str]]:
    """How each runner is started, by its name."""
    scripts = ROOT / "py-runner" / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    node = shutil.which("node")
    if node is None:
        raise BenchError("node is not on the PATH")
    return {
        "rust": [str(RELEASE), "runner"],
        "python": [str(scripts / "python"), "-P", "-m", "llmzip", "runner"],
        "node": [node, str(ROOT / "js-runner" / "bin" / "llmzip.mjs"), "runner"],
    }


class Runner:
    """A runner's process, with a model loaded; a context manager, at whose end the process is gone."""

    def __init__(self, name: str, command: list[str], model: Model) -> None:
        self.name = name
        self._id = 0
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "py-runner" / "src"),
            "ORT_DISABLE_TELEMETRY": "1",
        }
        self._model = model
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, encoding="utf-8"
            )
        except OSError as error:
            raise BenchError(f"cannot start {name}: {error}; `llmzip setup` makes what it needs") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        try:
            self.ask("hello", protocol=1)
            self.ask(
                "load",
                model_dir=str(self._model.folder),
                model_file=self._model.file,
                model_sha256=self._model.sha256,
                tokenizer_sha256=self._model.tokenizer_sha256,
                threads=1,
                provider="cpu",
                graph_optimization="all",
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close its stdin, at which it exits; kill it when it does not."""
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """The result of a request; raises `BenchError` when there is none."""
        self._id += 1
        try:
            self._stdin.write(json.dumps({"id": self._id, "op": operation, "params": params}) + "\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise BenchError(f"{self.name} is gone before `{operation}`") from error
        for line in self._stdout:
            reply = json.loads(line)
            if "progress" in reply:
                continue
            if reply["id"] == self._id and "result" in reply:
                result: dict[str, Any] = reply["result"]
                return result
            raise BenchError(f"{self.name} answered `{operation}` with {line.strip()}")
        raise BenchError(f"{self.name} ended in the middle of `{operation}`")


def table(header: list[str], rows: list[list[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  " + "  ".join(cells))
