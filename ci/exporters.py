"""The exporters' environments, which bring PyTorch: made where they can be had, and the reason told where they cannot.

Owns when they are made and what is said when they are not. Standard library only.

Usage: python3 ci/exporters.py; ends with 0 when they are there, else with 3.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ("cargo", "run", "--quiet", "--", "quantize", "--install")
NOT_THERE = 3


def prepare(command: Sequence[str] = INSTALL) -> str | None:
    """Make the environments where they are missing or out of date; None when they are there, else the reason why they are not."""
    try:
        ended = subprocess.run(
            command, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        return f"{command[0]} cannot be started: {error}"
    print(ended.stderr, end="", file=sys.stderr, flush=True)
    if ended.returncode == 0:
        return None
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error")]
    return errors[0] if errors else f"{' '.join(command)} ended with {ended.returncode} and no error"


def left_out(what: str, reason: str) -> None:
    """Say on stderr what is not checked here, and why."""
    print(
        f"-- LEFT OUT: {what}: the exporters' environments cannot be made here: {reason}", file=sys.stderr, flush=True
    )


def main() -> int:
    """Make them; gives the exit code."""
    reason = prepare()
    if reason is None:
        print("the exporters' environments are there")
        return 0
    left_out("whatever needs an exporter", reason)
    return NOT_THERE


if __name__ == "__main__":
    sys.exit(main())
