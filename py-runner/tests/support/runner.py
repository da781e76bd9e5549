"""A client of the runner protocol that holds every message to the schema."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from jsonschema import Draft202012Validator

from llmzip.model.provenance import find_record
from support.paths import PY_RUNNER, SCHEMAS, TINY


def check_message(definition: str, message: object) -> None:
    """Hold a message to a definition of the schema."""
    schema = json.loads(SCHEMAS.read_text(encoding="utf-8"))
    Draft202012Validator(schema | {"$ref": f"#/$defs/{definition}"}).validate(message)


class RunnerProcess:
    """A runner as a real process. Leaves none behind."""

    def __init__(self, first_on_path: Path | None = None) -> None:
        path = [str(each) for each in (first_on_path, PY_RUNNER / "src") if each]
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmzip", "runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        )
        self._id = 0
        self.progress: list[dict[str, int]] = []

    def __enter__(self) -> RunnerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._stderr):
            assert stream is not None
            stream.close()

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def reply(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), (line, self.stderr())
        reply: dict[str, Any] = json.loads(line)
        check_message("reply", reply)
        return reply

    def ask(self, op: str, **params: Any) -> dict[str, Any]:
        """Send a request; its result, or its error."""
        self._id += 1
        request = {"id": self._id, "op": op, "params": params}
        check_message(f"{op}.request", request)
        self.send(json.dumps(request).encode() + b"\n")
        while "progress" in (reply := self.reply()):
            assert reply["id"] == self._id
            self.progress.append(reply["progress"])
        assert reply["id"] == self._id
        if "result" in reply:
            check_message(f"{op}.result", reply["result"])
            result: dict[str, Any] = reply["result"]
            return result
        error: dict[str, Any] = reply["error"]
        assert error["message"]
        assert error["hint"]
        return error

    def code_of(self, op: str, params: object) -> str | None:
        """Send a request that may be of any form; the code of the error that it ends with, or None."""
        self._id += 1
        self.send(json.dumps({"id": self._id, "op": op, "params": params}).encode() + b"\n")
        while "progress" in (reply := self.reply()):
            pass
        assert reply["id"] == self._id
        code: str | None = reply["error"]["code"] if "error" in reply else None
        return code

    def load_tiny(self, dtype: str = "q4f16", **changes: Any) -> dict[str, Any]:
        return self.ask("load", **(load_params(dtype) | changes))

    def close(self) -> int:
        """Close stdin and wait; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait()

    def stderr(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode()


def load_params(dtype: str = "q4f16") -> dict[str, Any]:
    """The params of `load` for the tiny model."""
    record = find_record(TINY)
    assert record is not None
    variant = record.variant(dtype)
    return {
        "model_dir": str(TINY),
        "model_file": variant.file,
        "model_sha256": record.sha256[variant.file],
        "tokenizer_sha256": record.sha256["tokenizer.json"],
        "threads": 1,
        "provider": "cpu",
        "graph_optimization": "all",
    }
