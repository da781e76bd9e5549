"""A step in another environment: a child process with a log. Owns its start, its end and what its failure is called."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from llmzip.errors import IoError, SetupError
from llmzip.quantize.errors import QuantizeError

Talk = Callable[[str], None]
"""Told what is being done, a line at a time."""

_TAIL = 64 * 1024
_LINES = 15
_FULL = ("No space left on device", "File too large", "Disk quota exceeded")


def run(
    command: Sequence[str | Path],
    what: str,
    log: Path,
    failure: type[SetupError | QuantizeError],
    talk: Talk,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run `command` to its end with its words in the file `log`; `what` is its name in messages.

    It asks nothing of the hub and sees no packages but its own; what it writes for itself lies beside the log, and whatever it started ends
    with it when this process is interrupted. Raises `failure` with the last of its words, after telling more of them;
    IoError where the disk was full.
    """
    words = [str(each) for each in command]
    try:
        with log.open("wb") as file:
            code = _wait(words, file, _environment(log.parent) | dict(variables or {}))
    except OSError as error:
        raise IoError(
            f"cannot start {words[0]}: {error.strerror or error}", "`llmzip doctor` says what is missing"
        ) from error
    if code == 0:
        return
    lines = _last_lines(log)
    last = lines[-1] if lines else "it said nothing"
    full = next((line for line in lines[-_LINES:] if any(words in line for words in _FULL)), None)
    if full is not None:
        raise IoError(f"cannot write what {what} makes: {full}", "make room, or name a folder with more of it")
    for line in lines[-_LINES:]:
        talk(f"| {line}")
    if code < 0:
        last = f"it was ended by signal {-code}" + (", as happens when memory runs out" if code == -9 else "")
    raise failure(f"{what} failed: {last}", "what it said last is above")


def _wait(words: list[str], log: BinaryIO, environment: dict[str, str]) -> int:
    """Start a child and wait for its end; an exception meanwhile, such as an interruption, ends it and all that it has started."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        # A group of its own, which can be ended as a whole.
        started.append(
            subprocess.Popen(  # noqa: S603 - no shell, and all of it is ours but file names
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        )

    try:
        # Signals interrupt the main thread alone: here they would come between the start and the knowing of it.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(start).result()
        return started[0].wait()
    except BaseException:
        for child in started:
            _end(child)
            child.wait()
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child and all that it has started."""
    if sys.platform == "win32":
        child.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return kept | {
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch.absolute())),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    # A bar of progress writes over its own line.
    return [line.rpartition("\r")[2].rstrip() for line in text.splitlines() if line.strip()]
