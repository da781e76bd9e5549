"""Being asked to end. Owns which signals become `KeyboardInterrupt`.

That way unfinished files are removed on the way out.
"""

from __future__ import annotations

import signal
from types import FrameType


def interrupt_on_termination() -> None:
    """Treat a request to terminate, or a closed terminal, as Ctrl-C."""
    for name in ("SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
