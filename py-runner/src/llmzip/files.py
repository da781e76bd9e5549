"""Files that appear whole or not at all, and the process's streams. Owns temporary files and their renaming; looks into no content."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from llmzip.errors import IoError, UsageError

STDIO = "-"
STDERR = 2


def standard_input() -> BinaryIO:
    """The stream of stdin. Raises `IoError` when the process was started without one."""
    if sys.stdin is None:
        raise IoError("cannot read stdin: it is closed", "give it a file or a pipe")
    return sys.stdin.buffer


def standard_output() -> TextIO:
    """The stream of stdout. Raises `IoError` when the process was started without one."""
    if sys.stdout is None:
        raise IoError("cannot write stdout: it is closed", "give it a file or a pipe")
    return sys.stdout


class _Unfailing:
    """A stream to talk to: that nobody hears is no failure."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def keep_standard_error() -> None:
    """Make stderr a stream that can always be written to, whatever the process was started with.

    A closed descriptor is opened, so that no other file gets its number: libraries write to it as well. What something else has put in
    the place of `sys.stderr` stays.
    """
    if sys.stderr is not sys.__stderr__:
        return
    if sys.stderr is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != STDERR:
            os.dup2(nowhere, STDERR)
            os.close(nowhere)
        sys.stderr = os.fdopen(STDERR, "w", encoding="utf-8", closefd=False)
    sys.stderr = cast("TextIO", _Unfailing(sys.stderr))


@contextlib.contextmanager
def input_file(path: Path | str) -> Iterator[BinaryIO]:
    """A file, or stdin for `-`, to read from. Raises `IoError`."""
    if path == STDIO:
        yield standard_input()
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise IoError.reading(path, error) from error
        yield file


@contextlib.contextmanager
def output_file(path: Path | str, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A file, or stdout for `-`, to write to.

    A regular file takes its name when the block ends without an error and leaves nothing behind otherwise; a device or pipe is
    written to as it is. Raises `IoError`, and `UsageError` when the file exists and `overwrite` is not set.
    """
    if path == STDIO:
        with _writing("stdout"):
            stdout = standard_output().buffer
            yield stdout
            stdout.flush()
        return
    # A link keeps pointing to what it points to.
    target = Path(os.path.realpath(path))
    with _writing(path):
        if target.is_symlink():
            # Links that lead in a circle are what realpath cannot follow.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open("wb") as device:
                yield device
            return
        _refuse_existing(target, path, overwrite=overwrite)
        # Not made of the output's own name, which may be as long as the system lets a name be. It is known before the file
        # exists, so that no interruption can come between the two.
        temporary = target.with_name(f".llmzip-{secrets.token_hex(6)}.tmp")
        try:
            with temporary.open("xb") as file:
                yield file
            _refuse_existing(target, path, overwrite=overwrite)
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise IoError.writing(path, error) from error


def _refuse_existing(target: Path, path: Path | str, *, overwrite: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{path} is a folder", "name a file to write to")
    if target.exists() and not overwrite:
        raise UsageError(f"{path} is already there", "give -f to replace it, or another name")
