"""The gate: a thorough conformance run whose report a CI system keeps, and the goldens held to this machine.

Owns which runs are the gate and where their reports go. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "target" / "gate"
LLMZIP = ("cargo", "run", "--quiet", "--release", "--")


def conform(*arguments: str) -> int:
    """Every runner against every other; gives the exit code."""
    command = [*LLMZIP, "conform", "--thorough"]
    for flag, name in (("--report", "report.json"), ("--junit", "junit.xml"), ("--markdown", "summary.md")):
        command += [flag, str(REPORTS / name)]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode


def golden_check() -> int:
    """Every runner against what was recorded; gives the exit code."""
    run = subprocess.run([*LLMZIP, "golden", "check"], cwd=ROOT, check=False, stdout=subprocess.PIPE, encoding="utf-8")
    print(run.stdout, flush=True)
    (REPORTS / "golden.txt").write_text(run.stdout, encoding="utf-8")
    return run.returncode


def main() -> int:
    """Run both, even where the first fails; arguments are passed on to `conform`. Gives the first code that is not 0."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    codes = {"conform": conform(*sys.argv[1:]), "golden check": golden_check()}
    for name, code in codes.items():
        print(f"gate: {name} {'passed' if code == 0 else f'FAILED ({code})'}")
    print(f"gate: reports in {REPORTS.relative_to(ROOT)}")
    return next((code for code in codes.values() if code != 0), 0)


if __name__ == "__main__":
    sys.exit(main())
