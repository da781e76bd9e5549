"""Where models come from: SHA-256 and the manifest. Owns hashes, the manifest's fields and default settings; runs nothing."""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmzip.errors import IntegrityError, IoError, SetupError, UsageError

MANIFEST = "manifest.toml"
MODEL_VARIABLE = "LLMZIP_MODEL"
MANIFEST_VERSION = 1
# The first of these that a model has.
DEFAULT_VARIANTS = ("exact", "q4f16")


@dataclass(frozen=True)
class Variant:
    """One graph of a model."""

    dtype: str
    file: str
    eps: str


@dataclass(frozen=True)
class ModelRecord:
    """A model as the manifest knows it. `sha256` is by path relative to the model's folder."""

    name: str
    window: int = 512
    overlap: int = 128
    start_token: int = 0
    variants: tuple[Variant, ...] = ()
    sha256: dict[str, str] = field(default_factory=dict)

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


def sha256(content: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_verified(path: Path, expected: str | None) -> tuple[bytes, str]:
    """A file's content and SHA-256. Raises `IntegrityError` when it is not the expected one, `SetupError` when it is missing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SetupError(f"there is no file {path}", "give the folder of a model, or get the missing file") from None
    except OSError as error:
        raise IoError.reading(path, error) from error
    found = sha256(content)
    if expected is not None and found != expected.lower():
        raise IntegrityError(
            f"{path} has SHA-256 {found}, expected is {expected.lower()}",
            "get the file again from the source that the manifest names, or use the model that belongs to this hash",
        )
    return content, found


def default_model_dir() -> Path:
    """The folder in `LLMZIP_MODEL`, or the tiny model of this repository. Raises `SetupError` when there is neither."""
    if named := os.environ.get(MODEL_VARIABLE):
        return Path(named)
    tiny = Path(__file__).parents[4] / "models" / "tiny"
    if tiny.is_dir():
        return tiny
    raise SetupError("there is no model beside this package", f"name its folder with --model or {MODEL_VARIABLE}")


def find_record(model_dir: Path) -> ModelRecord | None:
    """The record of a model folder in the manifest beside it, or None. Raises `IntegrityError` for a broken manifest."""
    path = model_dir.resolve().parent / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        if manifest["version"] != MANIFEST_VERSION:
            raise ValueError(f"its version is {manifest['version']}")
        records = {(path.parent / entry["folder"]).resolve(): _record(entry) for entry in manifest["model"]}
    except OSError as error:
        raise IoError.reading(path, error) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{path} is not a manifest: {error!r}", "restore it from the repository") from error
    return records.get(model_dir.resolve())


def _record(entry: dict[str, Any]) -> ModelRecord:
    variants = tuple(Variant(str(v["dtype"]), str(v["file"]), str(v["eps"])) for v in entry["variant"])
    hashes = {str(file["path"]): str(file["sha256"]) for file in entry["file"] if "sha256" in file}
    return ModelRecord(
        str(entry["name"]), int(entry["window"]), int(entry["overlap"]), int(entry["start_token"]), variants, hashes
    )
