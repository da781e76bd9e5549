"""What is said on stderr: words, errors, progress. Owns their form, and whether it is quiet; what happened is the caller's."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from llmzip.signals import check_interruption

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmzip.errors import LlmzipError

TICK = 0.12
"""Seconds between two drawings of progress: tokens come faster than anybody reads."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class _Quiet:
    on = False


def be_quiet(quiet: bool) -> None:
    """Say nothing but errors from now on, or say everything."""
    _Quiet.on = quiet


def draws() -> bool:
    """Whether progress may be drawn."""
    return not _Quiet.on and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Say something, unless it is to be quiet."""
    if not _Quiet.on:
        warn(text)


def warn(text: str) -> None:
    """Say what must be heard, quiet or not."""
    sys.stderr.write(("\r\033[K" if draws() else "") + text + "\n")


def report(error: LlmzipError) -> int:
    """Say what went wrong; the exit code."""
    warn(f"error[{error.code}]: {error.message}")
    warn(f"hint: {error.hint}")
    return error.exit_code


def progress_line(what: str, place: int, size: int | None, tokens: int, seconds: float) -> str:
    """How far a file is: `place` of `size` bytes (None where nobody knows), after so many tokens and seconds."""
    speed = f"{tokens / seconds:.0f} tokens/s" if seconds > 0 else "- tokens/s"
    if size is None:
        return f"{what} {_amount(place)}, {speed}"
    left = _time(seconds * (size - place) / place) if place > 0 else "-"
    return f"{what} {_amount(place)} of {_amount(size)}, {speed}, {left} left"


def _amount(count: int) -> str:
    value, unit = float(count), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.1f} {UNITS[unit]}"


def _time(seconds: float) -> str:
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


class FileProgress:
    """Draws how far one file is. `read` tells how many bytes of it were read, `size` is its length where that is known."""

    def __init__(self, what: str, read: Callable[[], int], size: int | None) -> None:
        self._what, self._read, self._size = what, read, size
        self._tokens = 0
        self._begin()

    def _begin(self) -> None:
        self._started = self._drawn = time.monotonic()

    def show(self, done: int, total: int) -> None:
        """Tokens done, and known of so far. Raises `Interruption` once the end was asked for."""
        check_interruption()
        self._tokens = total
        self._draw(done, total)

    def show_verifying(self, done: int, _total: int) -> None:
        """The file was written, and is now read back; as `show`."""
        check_interruption()
        if self._what != "verify":
            self._what = "verify"
            self._begin()
        self._draw(done, self._tokens)

    def _draw(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not draws() or now < self._drawn + TICK:
            return
        self._drawn = now
        place = self._read() * done // max(total, 1)
        sys.stderr.write(f"\r{progress_line(self._what, place, self._size, done, now - self._started)}\033[K")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take it away."""
        if draws():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
