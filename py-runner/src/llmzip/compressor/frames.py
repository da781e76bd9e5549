"""Where a writer cuts plain bytes into frames (FORMAT.md section 8). Owns the cuts and reading ahead for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from llmzip.errors import IoError


def cut_frames(plain: BinaryIO, frame_bytes: int) -> Iterator[bytes]:
    """The plain bytes of each frame. Raises `IoError`."""
    rest = b""
    while True:
        # One byte more than a frame, to see whether a cut would fall inside a character.
        rest += read_up_to(plain, frame_bytes + 1 - len(rest))
        if len(rest) <= frame_bytes:
            break
        cut = next(
            (at for at in range(frame_bytes, max(frame_bytes - 4, 0), -1) if rest[at] & 0xC0 != 0x80), frame_bytes
        )
        yield rest[:cut]
        rest = rest[cut:]
    if rest:
        yield rest


def read_up_to(file: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only at the end; a pipe gives them in pieces. Raises `IoError`."""
    out = bytearray()
    try:
        while len(out) < count:
            piece = file.read(count - len(out))
            if not piece:
                break
            out += piece
    except OSError as error:
        raise IoError.reading("the input", error) from error
    return bytes(out)
