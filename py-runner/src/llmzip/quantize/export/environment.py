"""The exporters' environments: made by uv from hash-pinned locks when first needed. Owns `py-runner/exporters`; runs no exporter.

An environment appears whole or not at all. The default set-up has nothing of them: they bring PyTorch.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from llmzip.errors import IoError, SetupError

from .process import Talk, run

EXPORTERS = Path(__file__).parents[4] / "exporters"
ENVIRONMENTS = ("fused", "generic")
BASELINE = "fused"
"""The environment that has transformers as the project uses it, with PyTorch and a plotter."""
UV_REQUIREMENT = "uv==0.13.9"
_MARK = "llmzip-lock"


def python_of(name: str, root: Path = EXPORTERS) -> Path:
    """The Python of the environment `name`, made or not."""
    return _executable(root / name / ".venv", "python")


def is_ready(name: str, root: Path = EXPORTERS) -> bool:
    """Whether the environment is there and is that of the present lock."""
    mark = root / name / ".venv" / _MARK
    try:
        return mark.read_text(encoding="ascii") == _digest(root / name) and python_of(name, root).exists()
    except (OSError, ValueError):
        return False


def prepare(name: str, talk: Talk, root: Path = EXPORTERS) -> Path:
    """The environment's Python, after making the environment where it is missing or out of date. Raises SetupError, IoError."""
    folder = root / name
    if is_ready(name, root):
        return python_of(name, root)
    digest = _digest(folder)
    final = folder / ".venv"
    # Of the same ending as the environment itself, which is no part of the repository.
    making = folder / f"{secrets.token_hex(6)}.venv"
    talk(f"making the environment of the {name} exporter: PyTorch is large, this may take minutes")
    try:
        with tempfile.TemporaryDirectory(prefix="llmzip-") as scratch:
            uv, log = _uv(talk), Path(scratch) / "log"
            run(
                [uv, "venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, making],
                "uv",
                log,
                SetupError,
                talk,
            )
            lock = folder / "requirements.lock"
            install: list[str | Path] = [
                uv,
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--no-deps",
                "--python",
                _executable(making, "python"),
            ]
            run([*install, "--requirement", lock], f"the installation of the {name} exporter", log, SetupError, talk)
        (making / _MARK).write_text(digest, encoding="ascii")
        if is_ready(name, root):
            # Another process was faster.
            return python_of(name, root)
        if final.exists():
            final.rename(folder / f"{secrets.token_hex(6)}.old.venv")
        making.rename(final)
    except OSError as error:
        raise IoError.writing(folder, error) from error
    finally:
        for left in (making, *folder.glob("*.old.venv")):
            shutil.rmtree(left, ignore_errors=True)
    return python_of(name, root)


def _digest(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "requirements.lock").read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(
            f"there is no lock of the exporter in {folder}", "run it from a clone of the project, which has it"
        ) from error


def _uv(talk: Talk) -> Path:
    """uv: named in UV, on the PATH, or in the private folder that set-up uses as well."""
    if found := os.environ.get("UV") or shutil.which("uv"):
        return Path(found)
    private = EXPORTERS.parents[1] / ".llmzip" / "uv"
    uv = _executable(private, "uv")
    if not uv.exists():
        talk("getting uv")
        with tempfile.TemporaryDirectory(prefix="llmzip-") as scratch:
            log = Path(scratch) / "log"
            run(
                [sys.executable, "-m", "venv", "--clear", private],
                "the making of a folder for uv",
                log,
                SetupError,
                talk,
            )
            pip: list[str | Path] = [
                _executable(private, "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            run([*pip, UV_REQUIREMENT], "the installation of uv", log, SetupError, talk)
    return uv


def _executable(environment: Path, name: str) -> Path:
    return environment / "Scripts" / f"{name}.exe" if os.name == "nt" else environment / "bin" / name
