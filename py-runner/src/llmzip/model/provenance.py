"""Where models come from: SHA-256, and the manifest beside a folder. Owns hashes and default settings; runs nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from llmzip.errors import IntegrityError, IoError, SetupError
from llmzip.model.manifest import ModelRecord, read_manifest

MANIFEST = "manifest.toml"
MODEL_VARIABLE = "LLMZIP_MODEL"


def sha256(content: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_verified(path: Path, expected: str | None) -> tuple[bytes, str]:
    """A file's content and SHA-256. Raises `IntegrityError` when it is not the expected one, `SetupError` when it is missing."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise SetupError(f"there is no file {path}", "give the folder of a model, or get the missing file") from None
    except OSError as error:
        raise IoError.reading(path, error) from error
    found = sha256(content)
    check_sha256(path, found, expected)
    return content, found


def check_sha256(what: object, found: str, expected: str | None) -> None:
    """Raise `IntegrityError` when the SHA-256 of `what` is not the expected one; None expects nothing."""
    if expected is not None and found != expected.lower():
        raise IntegrityError(
            f"{what} has SHA-256 {found}, expected is {expected.lower()}",
            "get the file again from the source that the manifest names, or use the model that belongs to this hash",
        )


def default_model_dir() -> Path:
    """The folder in `LLMZIP_MODEL`, or the tiny model of this repository. Raises `SetupError` when there is neither."""
    if named := os.environ.get(MODEL_VARIABLE):
        return Path(named)
    tiny = Path(__file__).parents[4] / "models" / "tiny"
    if tiny.is_dir():
        return tiny
    raise SetupError("there is no model beside this package", f"name its folder with --model or {MODEL_VARIABLE}")


def find_record(model_dir: Path) -> ModelRecord | None:
    """The record of a model folder in the manifest beside it, or None. Raises `SetupError` for a broken manifest."""
    parent = model_dir.resolve().parent
    folders = {(parent / folder).resolve(): record for folder, record in _manifest_beside(model_dir)}
    return folders.get(model_dir.resolve())


def find_name(model_sha256: str) -> tuple[str, str] | None:
    """The names of the model and the variant of that SHA-256 in the manifest beside the default model, or None.

    Raises `SetupError` for a broken manifest.
    """
    try:
        folder = default_model_dir()
    except SetupError:
        return None
    for _, record in _manifest_beside(folder):
        for variant in record.variants:
            if record.model_sha256(variant) == model_sha256:
                return record.name, variant.dtype
    return None


def _manifest_beside(model_dir: Path) -> list[tuple[str, ModelRecord]]:
    """The models of the manifest beside a folder, each with its folder relative to it; none where there is no manifest."""
    path = model_dir.resolve().parent / MANIFEST
    if not path.is_file():
        return []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IoError.reading(path, error) from error
    try:
        return read_manifest(content.decode("utf-8"))
    except ValueError as error:
        raise SetupError(
            f"{path} cannot be used: {error}", "restore it; models/manifest.toml of the repository shows the form"
        ) from error
