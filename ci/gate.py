"""The gate: a thorough conformance run whose report a CI system keeps.

Owns which run is the gate and where its reports go. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Run it; arguments are passed on to `conform`."""
    reports = ROOT / "target" / "gate"
    reports.mkdir(parents=True, exist_ok=True)
    command = ["cargo", "run", "--quiet", "--release", "--", "conform", "--thorough"]
    for flag, name in (("--report", "report.json"), ("--junit", "junit.xml"), ("--markdown", "summary.md")):
        command += [flag, str(reports / name)]
    code = subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=False).returncode
    print(f"gate: {'passed' if code == 0 else f'FAILED ({code})'}; reports in {reports.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
