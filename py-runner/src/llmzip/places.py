"""Where a command reads from and writes to: names that follow from others, pipes, the removal of an input. Looks into no content."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llmzip.errors import IoError, UsageError
from llmzip.files import STDIO, input_file

SUFFIX = ".llmzip"


class CountedInput:
    """A binary file that knows how far it was read, and its length where it is a regular one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.count = file, 0
        self.size: int | None = None
        with contextlib.suppress(OSError, AttributeError):
            found = os.fstat(file.fileno())
            self.size = found.st_size if stat.S_ISREG(found.st_mode) else None

    def read(self, count: int = -1) -> bytes:
        """As of the file."""
        content = self._file.read(count)
        self.count += len(content)
        return content


@contextlib.contextmanager
def container_input(path: str) -> Iterator[BinaryIO]:
    """A container to read. Raises `UsageError` where it would come from a terminal, `IoError`."""
    if path == STDIO and sys.stdin is not None and sys.stdin.isatty():
        raise UsageError("a container is not read from a terminal", "name a file, or give it one through a pipe")
    with input_file(path) as file:
        yield file


def output_name(command: str, path: str) -> str:
    """The output of an input where none is named. Raises `UsageError` where it has none."""
    if path == STDIO:
        return STDIO
    if command == "compress":
        return path + SUFFIX
    if path.endswith(SUFFIX) and Path(path).name != SUFFIX:
        return path.removesuffix(SUFFIX)
    raise UsageError(
        f"{path} does not end in {SUFFIX}, so that the output has no name", "name a file to write to with -o"
    )


def refuse_same(path: str, output: str) -> None:
    """Raise `UsageError` where the output would take the input's place, and lose it."""
    if STDIO in (path, output) or not (Path(path).is_file() and Path(output).is_file()):
        return
    if Path(path).resolve() == Path(output).resolve():
        raise UsageError(f"{path} is the input and the output", "name another file to write to")


def refuse_terminal(output: str, *, force: bool) -> None:
    """Raise `UsageError` where a container would go to a terminal."""
    if output == STDIO and not force and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "a container is not written to a terminal",
            "name a file with -o, or give -f to write it all the same",
        )


def takes_a_name(output: str) -> bool:
    """Whether it will be a regular file, and is no pipe or device."""
    return output != STDIO and (not Path(output).exists() or Path(output).is_file())


def remove_input(path: str) -> None:
    """The output is complete. Raises `IoError`."""
    try:
        Path(path).unlink()
    except OSError as error:
        raise IoError(
            f"cannot remove {path}: {error.strerror or error}", "the output is complete; remove the input by hand"
        ) from error
