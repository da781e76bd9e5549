"""The gate: conformance runs of every variant, of other engines and of an emulated processor, and the goldens held to this machine.

Owns which runs are the gate and where their reports go, for a CI system to keep. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "target" / "gate"
LLMZIP = ("cargo", "run", "--quiet", "--")
NATIVE = "rust,python,node"
OTHERS = ("--variant", "q4f16", "--variant", "q4")
# The other one that can be had on x86-64 is run by harness/tests/emulation.rs.
EMULATED = ("haswell",)
EMULATOR = "qemu-x86_64"
CHROMIUM_VARIABLE = "LLMZIP_CHROMIUM"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def conform(folder: Path, *arguments: str) -> int:
    """A conformance run with its reports in a folder; gives the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*LLMZIP, "conform"]
    for flag, name in (("--report", "report.json"), ("--junit", "junit.xml"), ("--markdown", "summary.md")):
        command += [flag, str(folder / name)]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode


def other_engines() -> int:
    """The exact graph in rten, and in Chromium where there is one, beside ONNX Runtime; gives the exit code."""
    runners = ["rust", "rust-rten", "browser-wasm"]
    if not os.environ.get(CHROMIUM_VARIABLE) and not any(map(shutil.which, CHROMIUM)):
        print("gate: the browser is left out: Chromium is not on the PATH; apt-get install chromium gets it on Debian")
        runners.pop()
    names = ",".join(runners)
    return conform(REPORTS / "engines", "--variant", "exact", "--only", names, "--require", names)


def emulated() -> int:
    """The exact graph on emulated processors too; gives the exit code, 0 where there is no emulator."""
    if shutil.which(EMULATOR) is None:
        print(
            f"gate: emulated processors are left out: {EMULATOR} is not on the PATH; python3 ci/prepare_emulation.py gets it"
        )
        return 0
    required = ",".join(["rust", "python", "node", *(f"python-{cpu}" for cpu in EMULATED)])
    arguments = ["--variant", "exact", "--tokens", "100", "--emulate", ",".join(EMULATED), "--require", required]
    return conform(REPORTS / "emulated", *arguments)


def golden_check() -> int:
    """Every runner against what was recorded; gives the exit code."""
    run = subprocess.run([*LLMZIP, "golden", "check"], cwd=ROOT, check=False, stdout=subprocess.PIPE, encoding="utf-8")
    print(run.stdout, flush=True)
    (REPORTS / "golden.txt").write_text(run.stdout, encoding="utf-8")
    return run.returncode


def main() -> int:
    """Run all, even where one fails; arguments are passed on to the `conform` of float graphs. Gives the first code that is not 0."""
    codes = {
        # The text of 100 KB takes a runner minutes for each graph: it is written and read with the one that must be the same bits.
        "conform, exact": conform(REPORTS / "exact", "--thorough", "--variant", "exact", "--only", NATIVE),
        "conform": conform(REPORTS, *OTHERS, "--only", NATIVE, *sys.argv[1:]),
        "conform, other engines": other_engines(),
        "conform, emulated": emulated(),
        "golden check": golden_check(),
    }
    for name, code in codes.items():
        print(f"gate: {name} {'passed' if code == 0 else f'FAILED ({code})'}")
    print(f"gate: reports in {REPORTS.relative_to(ROOT)}")
    return next((code for code in codes.values() if code != 0), 0)


if __name__ == "__main__":
    sys.exit(main())
