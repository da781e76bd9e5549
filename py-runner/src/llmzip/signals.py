"""Being asked to end. Owns which signals become an exception, so that unfinished files are removed on the way out."""

from __future__ import annotations

import signal
from types import FrameType


class Interruption(BaseException):
    """The user, or the system, asked for the end.

    Not KeyboardInterrupt, after which CPython may end with SIGINT's own status although it was caught.
    """


def interrupt_when_asked() -> None:
    """Raise `Interruption` on Ctrl-C, on a request to terminate, and when the terminal is closed."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)


def check_interruption() -> None:
    """Raise `Interruption` again if one was asked for: a library that catches everything may have swallowed it."""
    if was_interrupted():
        raise Interruption


def was_interrupted() -> bool:
    """Whether one was asked for: another error may be what a library made of it."""
    return _Asked.asked


class _Asked:
    asked = False


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _Asked.asked = True
    raise Interruption
