"""The one test command: every check of the three languages, in the order in which they fail fastest.

Owns what is called, not what is tested. Standard library only: it runs before any environment is made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from exporters import left_out, prepare

ROOT = Path(__file__).resolve().parent.parent
PY_RUNNER = ROOT / "py-runner"
JS_RUNNER = ROOT / "js-runner"
MAKING = ROOT / "models" / "make"

# A Rust test without what it needs says so and passes; here nothing is missing.
NOTHING_LEFT_OUT = {"LLMZIP_LEAVE_NOTHING_OUT": "1"}


def run(title: str, *command: str | Path, cwd: Path = ROOT) -> None:
    """Run one check; a failure ends everything with its exit code."""
    print(f"== {title}", flush=True)
    started = time.monotonic()
    executable = shutil.which(str(command[0])) or str(command[0])
    words = [executable, *map(str, command[1:])]
    code = subprocess.run(words, cwd=cwd, env=os.environ | NOTHING_LEFT_OUT, check=False).returncode
    print(f"-- {title}: {'ok' if code == 0 else f'FAILED ({code})'}, {time.monotonic() - started:.0f} s", flush=True)
    if code != 0:
        sys.exit(code)


def lint_rust() -> None:
    """Format and lints."""
    run("rustfmt", "cargo", "fmt", "--check")
    run("clippy", "cargo", "clippy", "--quiet", "--all-targets", "--", "--deny", "warnings")


def test_rust() -> None:
    """Unit and integration tests."""
    run("cargo test", "cargo", "test", "--quiet")


def exporters() -> str | None:
    """Make the exporters' environments; the reason where they cannot be made, which leaves out the tests that need them."""
    print("== exporters", flush=True)
    started = time.monotonic()
    reason = prepare()
    if reason is None:
        print(f"-- exporters: ok, {time.monotonic() - started:.0f} s", flush=True)
    return reason


def python(*arguments: str | Path) -> tuple[str | Path, ...]:
    """A command in the environment of py-runner."""
    scripts = PY_RUNNER / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    return (scripts / "python", *arguments)


def lint_python() -> None:
    """Lints and types."""
    run("ruff", *python("-m", "ruff", "check", ".", "../ci"), cwd=PY_RUNNER)
    run("ruff format", *python("-m", "ruff", "format", "--check", ".", "../ci"), cwd=PY_RUNNER)
    run("mypy", *python("-m", "mypy"), cwd=PY_RUNNER)
    checked = sorted(path.name for path in (ROOT / "ci").glob("*.py"))
    run("mypy of ci", *python("-m", "mypy", "--strict", *checked), cwd=ROOT / "ci")
    run("ruff of models/make", *python("-m", "ruff", "check", "."), cwd=MAKING)
    run("ruff format of models/make", *python("-m", "ruff", "format", "--check", "."), cwd=MAKING)


def test_python() -> None:
    """Tests of the runner, of what makes the models and of the scripts in ci."""
    # One process for each core; a file stays in one, since what its tests share takes long to make.
    run("pytest", *python("-m", "pytest", "-q", "-n", "auto", "--dist", "loadfile"), cwd=PY_RUNNER)
    run("pytest of models/make", *python("-m", "pytest", "-q"), cwd=MAKING)
    strictly = ("-W", "error", "-p", "no:cacheprovider")
    files = ("test_prepare_emulation.py", "test_exporters.py")
    run("pytest of ci", *python("-m", "pytest", "-q", *strictly, *files), cwd=ROOT / "ci")


def lint_javascript() -> None:
    """Lints and types."""
    for script in ("check", "lint"):
        run(f"npm run {script}", "npm", "run", "--silent", script, cwd=JS_RUNNER)


def test_javascript() -> None:
    """Tests."""
    run("npm run unit", "npm", "run", "--silent", "unit", cwd=JS_RUNNER)


LANGUAGES = {
    "rust": (lint_rust, test_rust),
    "python": (lint_python, test_python),
    "javascript": (lint_javascript, test_javascript),
}


def main() -> None:
    """Make the environments, then run the checks of the languages that were asked for."""
    parser = argparse.ArgumentParser(description="Run every check of the three languages.")
    parser.add_argument("languages", nargs="*", choices=[[], *LANGUAGES], help="all unless named")
    parser.add_argument("--lint", action="store_true", help="formats, lints and types alone, without a test")
    parser.add_argument(
        "--exporters", action="store_true", help="make the exporters' environments too (6 GB), which some tests need"
    )
    arguments = parser.parse_args()
    run("set-up", "cargo", "run", "--quiet", "--", "setup", "--dev")
    chosen = [LANGUAGES[language] for language in arguments.languages or LANGUAGES]
    for lint, _ in chosen:
        lint()
    if arguments.lint:
        return
    reason = exporters() if arguments.exporters else None
    for _, test in chosen:
        test()
    if reason is not None:
        # At the end, where it is seen.
        left_out("tests that need an exporter", reason)


if __name__ == "__main__":
    main()
