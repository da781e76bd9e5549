import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.compressor.frames import cut_frames


def check(plain: bytes, frame_bytes: int, *expected: bytes) -> None:
    assert list(cut_frames(io.BytesIO(plain), frame_bytes)) == list(expected)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=30).map(str.encode)), st.integers(1, 20))
def test_frames_join_to_the_plain_bytes(plain: bytes, frame_bytes: int) -> None:
    pieces = list(cut_frames(io.BytesIO(plain), frame_bytes))
    assert b"".join(pieces) == plain
    assert all(1 <= len(piece) <= frame_bytes for piece in pieces)
    assert all(len(piece) >= frame_bytes - 3 for piece in pieces[:-1])


def test_cuts_go_back_to_the_start_of_a_character() -> None:
    check(b"", 4)
    check(b"abcd", 4, b"abcd")
    check(b"abcde", 4, b"abcd", b"e")
    check("abcé".encode(), 4, b"abc", "é".encode())
    check("ab€".encode(), 4, b"ab", "€".encode())
    check("a😀".encode(), 4, b"a", "😀".encode())
    check("a😀".encode(), 3, b"a", b"\xf0\x9f\x98", b"\x80")


def test_cuts_stay_where_no_character_starts_nearby() -> None:
    check(b"\x80" * 9, 4, b"\x80" * 4, b"\x80" * 4, b"\x80")
    check(b"a" + b"\x80" * 5, 5, b"a" + b"\x80" * 4, b"\x80")
    check("é".encode(), 1, b"\xc3", b"\xa9")


class Drip(io.RawIOBase):
    """A pipe that gives one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(min(size, 1))


@pytest.mark.parametrize("size", [0, 7, 8, 9, 40])
def test_a_slow_pipe_gives_the_same_frames(size: int) -> None:
    plain = bytes(range(40))[:size]
    assert list(cut_frames(Drip(plain), 8)) == list(cut_frames(io.BytesIO(plain), 8))  # type: ignore[arg-type]
