"""Remakes requirements.lock and requirements-dev.lock from pyproject.toml, and the requirements.lock of each exporter.

Owns these files: every package of the runtime, of the tests as well, and of an exporter's environment, pinned by version and SHA-256 for
all platforms, without an address to get it from. Needs uv on the PATH (or named in UV) and a package registry.

Usage: python make_locks.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
HEADER = "# Made by make_locks.py from pyproject.toml. Install with: uv pip sync --require-hashes {name}\n"
EXPORT = [
    "export",
    "--quiet",
    "--locked",
    "--format",
    "requirements.txt",
    "--no-emit-project",
    "--no-header",
    "--no-annotate",
]
RUNTIME = {"requirements.lock": ["--no-dev"], "requirements-dev.lock": ["--group", "dev"]}
LOCKS = {
    HERE: RUNTIME,
    HERE / "exporters" / "fused": {"requirements.lock": ["--no-dev"]},
    HERE / "exporters" / "generic": {"requirements.lock": ["--no-dev"]},
}


def main() -> int:
    """Write both files."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        sys.stderr.write("uv is not on the PATH\nhint: pip install uv, or name it in the environment variable UV\n")
        return 3
    for folder, locks in LOCKS.items():
        # uv's own lock holds addresses; it is remade from nothing and not kept in the repository.
        (folder / "uv.lock").unlink(missing_ok=True)
        subprocess.run([uv, "lock", "--quiet"], cwd=folder, check=True)  # noqa: S603 - all of it is said here
        for name, options in locks.items():
            exported = subprocess.run([uv, *EXPORT, *options], cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603
            if "://" in exported.stdout:
                sys.stderr.write(f"{folder / name} would hold an address\nhint: take packages from a registry only\n")
                return 1
            (folder / name).write_text(HEADER.format(name=name) + exported.stdout, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
