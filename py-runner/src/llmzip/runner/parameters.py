"""The parameters of a request: hostile JSON to typed values. Owns types and presence; what a value means is the operation's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from llmzip.errors import UsageError
from llmzip.runner.line_json import MAX_WHOLE

HINT = "see PROTOCOL.md for the parameters of each operation"


class Parameters:
    """A JSON object whose members must all be asked for. Raises `UsageError` for one that is missing or of another type."""

    def __init__(self, op: str, members: object) -> None:
        if not isinstance(members, dict):
            raise UsageError(f"{op}: params is not an object", HINT)
        self._op = op
        self._members = members
        self._asked: set[str] = set()

    def text(self, name: str) -> str:
        """A string of Unicode scalar values."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise self._wrong(name, "a string of Unicode scalar values (it has a lone surrogate)") from None
        return value

    def integer(self, name: str, low: int = 0, high: int = MAX_WHOLE) -> int:
        """A whole number, `low .. high`."""
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(name, f"a whole number, {low} .. {high}")
        return value

    def sha256(self, name: str) -> str:
        """A SHA-256 in lower-case hexadecimal."""
        value = self.text(name)
        if not re.fullmatch("[0-9a-f]{64}", value):
            raise self._wrong(name, "a SHA-256 of 64 lower-case hex digits")
        return value

    def model_file(self, name: str) -> str:
        """The path of a graph inside its folder, with `/` between its parts."""
        value = self.text(name)
        parts = value.split("/")
        if not parts[-1].endswith(".onnx") or "\\" in value or any(part in ("", ".", "..") for part in parts):
            raise self._wrong(name, "the path of an .onnx file inside the folder")
        return value

    def path(self, name: str) -> Path:
        """An absolute path."""
        path = Path(self.text(name))
        if not path.is_absolute() or "\0" in str(path):
            raise self._wrong(name, "an absolute path")
        return path

    def optional_path(self, name: str) -> Path | None:
        """An absolute path, or None where the member is missing."""
        return self.path(name) if name in self._members else None

    def integers(self, name: str) -> list[int]:
        """A list of whole numbers from 0 on."""
        value = self._get(name)
        if not isinstance(value, list) or not all(type(each) is int and each >= 0 for each in value):
            raise self._wrong(name, "a list of whole numbers")
        return value

    def object(self, name: str) -> Parameters:
        """An object with members of its own."""
        return Parameters(f"{self._op}: {name}", self._get(name))

    def check_all_asked(self) -> None:
        """Raise `UsageError` when a member is there that nobody asked for."""
        unknown = sorted(set(self._members) - self._asked)
        if unknown:
            raise UsageError(f"{self._op}: there is no parameter {', '.join(map(repr, unknown))}", HINT)

    def _get(self, name: str) -> Any:
        self._asked.add(name)
        if name not in self._members:
            raise UsageError(f"{self._op}: the parameter {name!r} is missing", HINT)
        return self._members[name]

    def _wrong(self, name: str, expected: str) -> UsageError:
        return UsageError(f"{self._op}: the parameter {name!r} is not {expected}", HINT)
