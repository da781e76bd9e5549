"""What a manifest says of the models that it knows. Owns its fields, and that it is refused as a whole; opens no file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from llmzip.errors import UsageError
from llmzip.model.identity import model_identity

VERSION = 1
UNKNOWN = "unknown"
"""In the place of a SHA-256 that nobody knows yet."""
# The first of these that a model has.
DEFAULT_VARIANTS = ("exact", "q4f16")


@dataclass(frozen=True)
class Variant:
    """One graph of a model."""

    dtype: str
    file: str
    eps: str
    data: tuple[str, ...] = ()
    """The files beside it that hold weights of it."""


@dataclass(frozen=True)
class ModelRecord:
    """A model as the manifest knows it. `sha256` is by path relative to the model's folder."""

    name: str
    window: int = 512
    overlap: int = 128
    start_token: int = 0
    variants: tuple[Variant, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)

    def model_sha256(self, variant: Variant) -> str | None:
        """The SHA-256 that a variant must have, its files of weights included, where those of all its files are known."""
        onnx, data = self.sha256.get(variant.file), {path: self.sha256.get(path) for path in variant.data}
        if onnx is None:
            return None
        known = {path.rpartition("/")[2]: each for path, each in data.items() if each is not None}
        return model_identity(onnx, known) if len(known) == len(data) else None

    def variant(self, dtype: str | None = None) -> Variant:
        """The variant of that name; without a name `exact`, else `q4f16`, else the first. Raises `UsageError` when there is none."""
        names = [variant.dtype for variant in self.variants]
        for wanted in (*DEFAULT_VARIANTS, *names) if dtype is None else (dtype,):
            if wanted in names:
                return self.variants[names.index(wanted)]
        raise UsageError(
            f"model {self.name} has no variant {'at all' if dtype is None else repr(dtype)}",
            f"use one of {', '.join(names)}" if names else "name another model",
        )


def read_manifest(text: str) -> list[tuple[str, ModelRecord]]:
    """The models of a manifest, each with its folder relative to the manifest. Raises `ValueError` that says what is wrong."""
    manifest = tomllib.loads(text)
    version = _number(manifest, "version")
    if version != VERSION:
        raise ValueError(f"it has version {version}, this program knows version {VERSION}")
    records = [(_path(entry, "folder"), _record(entry)) for entry in _tables(manifest, "model")]
    _check_different("model", [record.name for _, record in records])
    return records


def _record(entry: dict[str, Any]) -> ModelRecord:
    # Also what is not used here: a manifest is good or bad for all three languages alike.
    for unused in ("source", "licence"):
        _text(entry, unused)
    _path(entry, "tokenizer")
    window, overlap = _number(entry, "window"), _number(entry, "overlap")
    if window < 2 or overlap >= window:
        raise ValueError(f"a window of {window} and an overlap of {overlap} do not go together")
    files = [(_path(each, "path"), _sha256(each)) for each in _tables(entry, "file")]
    _check_different("file", [path for path, _ in files])
    return ModelRecord(
        _text(entry, "name"),
        window,
        overlap,
        _number(entry, "start_token"),
        tuple(_variant(each) for each in _tables(entry, "variant")),
        {path: sha256 for path, sha256 in files if sha256 is not None},
    )


def _variant(entry: dict[str, Any]) -> Variant:
    _text(entry, "activation")
    file, data = _path(entry, "file"), entry.get("data", [])
    if not isinstance(data, list):
        raise _wrong("data", data, "a list of paths")
    paths = [_path({"data": each}, "data") for each in data]
    for path in paths:
        if path.rpartition("/")[0] != file.rpartition("/")[0]:
            raise ValueError(f"{path!r} does not lie beside {file}")
    _check_different("data", paths)
    return Variant(_text(entry, "dtype"), file, _text(entry, "eps"), tuple(paths))


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value


def _number(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _wrong(name, value, "a whole number")
    return value


def _path(entry: dict[str, Any], name: str) -> str:
    value = _text(entry, name)
    if "\\" in value or any(part in ("", ".", "..") for part in value.split("/")):
        raise _wrong(name, value, "a path inside its folder")
    return value


def _sha256(entry: dict[str, Any]) -> str | None:
    """The hash of a file, where it is known."""
    if "bytes" in entry:
        _number(entry, "bytes")
    if "sha256" not in entry:
        return None
    value = _text(entry, "sha256")
    if value == UNKNOWN:
        return None
    if not re.fullmatch("[0-9a-f]{64}", value):
        raise _wrong("sha256", value, "64 lower-case hex digits")
    return value


def _tables(entry: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = entry.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong(name, value, "a list of tables")
    return value


def _wrong(name: str, value: object, expected: str) -> ValueError:
    return ValueError(f"{name} is {value!r}, not {expected}")


def _check_different(what: str, names: list[str]) -> None:
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"it names the {what} {twice!r} twice")
