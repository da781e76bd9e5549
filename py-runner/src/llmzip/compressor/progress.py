"""What reader and writer share: being told how far they are, and writing. Owns no part of the format."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from llmzip.errors import IoError

Progress = Callable[[int, int], None]
# How many rows go by between two calls.
PROGRESS_ROWS = 32


def no_progress(done: int, total: int) -> None:
    """Take no notice."""


def shifted(progress: Progress, base: int) -> Progress:
    """Progress of a frame as that of the whole, as far as the whole is known."""
    return lambda done, total: progress(base + done, base + total)


def write(file: BinaryIO, content: bytes) -> int:
    """Write all of it; how much that was. Raises `IoError`."""
    try:
        file.write(content)
    except OSError as error:
        raise IoError.writing("the output", error) from error
    return len(content)
