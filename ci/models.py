"""From random checkpoints to models that every runner agrees on: `quantize`, then `conform`, for a family after the other.

Owns which families are tried. Standard library only; makes the exporters' environments where they are missing, and ends with 3 and the
reason where they cannot be made.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exporters import NOT_THERE, left_out, prepare

ROOT = Path(__file__).resolve().parent.parent
PY_RUNNER = ROOT / "py-runner"
MAKER = PY_RUNNER / "tests" / "quantize" / "random_checkpoints.py"
LLMZIP = ("cargo", "run", "--quiet", "--")
FAMILIES = ("llama", "qwen3", "mistral", "gemma", "phi", "gpt2")
RUNNERS = "rust,python,node"


def run(*command: str | Path) -> bool:
    """Whether a command ends well."""
    quiet = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return subprocess.run([str(each) for each in command], cwd=ROOT, env=quiet, check=False).returncode == 0


def family(name: str, folder: Path) -> bool:
    """Quantise a checkpoint and let every runner read what every other wrote."""
    model = folder / "models" / name
    return run(*LLMZIP, "quantize", folder / "checkpoints" / name, "--out", model) and run(
        *LLMZIP,
        "conform",
        "--model",
        model,
        "--only",
        RUNNERS,
        "--require",
        RUNNERS,
        # Enough for every plan; the whole sequence is the tiny model's to show.
        "--tokens",
        "300",
        "--report",
        folder / f"{name}.json",
    )


def main(arguments: list[str] | None = None) -> int:
    """Try the families that are named, else all; gives 1 if one of them fails."""
    parser = argparse.ArgumentParser(
        description="Quantise random checkpoints, and let every runner read what every other wrote."
    )
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(FAMILIES)} [default: all]")
    names = parser.parse_args(arguments).families or list(FAMILIES)
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        parser.error(f"there is no family {unknown[0]}; there are {', '.join(FAMILIES)}")
    reason = prepare()
    if reason is not None:
        left_out(", ".join(names), reason)
        return NOT_THERE
    scripts = PY_RUNNER / "exporters" / "fused" / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    with tempfile.TemporaryDirectory(prefix="llmzip-") as scratch:
        folder = Path(scratch)
        (folder / "models").mkdir()
        if not run(scripts / "python", MAKER, ROOT / "models" / "tiny", folder / "checkpoints", *names):
            return 1
        failed = []
        for name in names:
            started = time.monotonic()
            if not family(name, folder):
                failed.append(name)
            print(f"-- {name}: {'FAILED' if name in failed else 'ok'}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
