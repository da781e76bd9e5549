import io
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.codec.tree import tree_depth
from llmzip.container.bytes import ByteReader, write_varint
from llmzip.container.eps import Eps
from llmzip.container.layout import (
    CodedFrame,
    End,
    Preamble,
    Run,
    RunKind,
    Runs,
    StoredFrame,
    read_frame,
    read_preamble,
)
from llmzip.errors import FormatError, UsageError
from llmzip.model.context import lane_lengths

PREAMBLE = Preamble(b"\x01" * 32, b"\x02" * 32, 1536, Eps(5, 5), 32, 0, 512, 128, "ort-1.30.0/x64")


def reader(content: bytes) -> ByteReader:
    return ByteReader(io.BytesIO(content))


def preamble_bytes(**changes: bytes) -> bytes:
    """A preamble with single fields replaced and the crc32 made right again."""
    fields = {
        "magic": b"\x89LMZ",
        "version": b"\x01",
        "hashes": bytes(64),
        "vocab_size": write_varint(1536),
        "depth": b"\x0b",
        "eps": b"\x05\x05",
        "offsets": b"\x20",
        "start_token": write_varint(0),
        "window": write_varint(512),
        "overlap": write_varint(128),
        "fingerprint": b"\x03abc",
    }
    content = b"".join((fields | changes).values())
    return content + zlib.crc32(content).to_bytes(4, "little")


def check_preamble_refused(match: str, **changes: bytes) -> None:
    with pytest.raises(FormatError, match=match):
        read_preamble(reader(preamble_bytes(**changes)))


@given(st.integers(0, (1 << 53) - 1))
def test_varints_come_back_in_their_shortest_form(value: int) -> None:
    content = write_varint(value)
    assert len(content) <= 8
    assert reader(content).varint("it", 0, value) == value
    if len(content) < 8:
        with pytest.raises(FormatError, match="shortest form"):
            reader(content[:-1] + bytes([content[-1] | 0x80, 0])).varint("it", 0, 1 << 53)


@pytest.mark.parametrize("content", [b"\x80" * 8 + b"\x01", b"\xff" * 7 + b"\x7f", b"\x80\x00", b""])
def test_varints_that_are_none(content: bytes) -> None:
    with pytest.raises(FormatError):
        reader(content).varint("it", 0, (1 << 53) - 1)


def test_a_preamble_comes_back() -> None:
    content = PREAMBLE.to_bytes()
    assert content[:5] == b"\x89LMZ\x01"
    assert read_preamble(reader(content)) == PREAMBLE
    assert read_preamble(reader(preamble_bytes())).fingerprint == "abc"


def test_what_a_preamble_may_not_hold() -> None:
    check_preamble_refused("not an LLMzip container", magic=b"\x89PNG")
    check_preamble_refused("version 2", version=b"\x02")
    check_preamble_refused("vocabulary size is 1,", vocab_size=write_varint(1), depth=b"\x00")
    check_preamble_refused("vocabulary size is", vocab_size=write_varint((1 << 20) + 1))
    check_preamble_refused("depth is 10", depth=b"\x0a")
    check_preamble_refused("depth is 12", depth=b"\x0c")
    for eps in (b"\x00\x01", b"\x0a\x02", b"\x05\x00", b"\x0b\x01", b"\x01\x0d", b"\xfa\x0c"):
        check_preamble_refused("eps", eps=eps)
    check_preamble_refused("offsets is 0", offsets=b"\x00")
    check_preamble_refused("offsets is 65", offsets=b"\x41")
    check_preamble_refused("start token", start_token=write_varint(1536))
    check_preamble_refused("window is 1,", window=write_varint(1))
    check_preamble_refused("window is", window=write_varint((1 << 20) + 1))
    check_preamble_refused("overlap", overlap=write_varint(512))
    check_preamble_refused("fingerprint's length", fingerprint=b"\x21" + b"a" * 33)
    check_preamble_refused("printable", fingerprint=b"\x02a ")
    content = bytearray(preamble_bytes())
    content[-1] ^= 1
    with pytest.raises(FormatError, match="crc32"):
        read_preamble(reader(bytes(content)))


def test_eps_limits_that_are_allowed() -> None:
    for eps in (b"\x00\x00", b"\x09\x01", b"\xff\x03", b"\x01\x0c"):
        read_preamble(reader(preamble_bytes(eps=eps)))


@pytest.mark.parametrize(
    ("text", "eps"),
    [
        ("0", Eps(0, 0)),
        ("0.000", Eps(0, 0)),
        ("5e-5", Eps(5, 5)),
        ("0.00005", Eps(5, 5)),
        ("50e-6", Eps(5, 5)),
        ("2E-2", Eps(2, 2)),
        ("255e-12", Eps(255, 12)),
        ("0.9", Eps(9, 1)),
        ("1.5e-3", Eps(15, 4)),
    ],
)
def test_eps_from_text(text: str, eps: Eps) -> None:
    assert Eps.parse(text) == eps
    assert Eps.parse(str(eps)) == eps


@pytest.mark.parametrize(
    "text", ["", "1", "-1e-5", "1e-13", "256e-9", "nan", "inf", "1e", "5e-5x", " 5e-5", "1_0e-9", "9" * 99, "\u0665e-5"]
)
def test_eps_text_that_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        Eps.parse(text)


@given(st.integers(1, 3000), st.integers(1, 256))
def test_lanes_are_even_and_whole(tokens: int, lanes: int) -> None:
    lengths = lane_lengths(tokens, lanes)
    assert sum(lengths) == tokens
    assert sorted(lengths, reverse=True) == lengths
    assert lengths[0] - lengths[-1] <= 1


def coded(**changes: object) -> CodedFrame:
    fields: dict[str, object] = {
        "plain_length": 12,
        "plain_crc32": 7,
        "token_count": 5,
        "runs": Runs([Run(RunKind.TEXT, 2), Run(RunKind.LITERAL, 3), Run(RunKind.TEXT, 3)]),
        "literals": b"\xff\xfe\xfd",
        "cells": 48,
        "block": 64,
        "streams": [b"abc", b"d"],
    }
    return CodedFrame(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "frame",
    [
        coded(),
        coded(runs=Runs(), literals=b"", streams=[b"x"]),
        coded(plain_length=1 << 24, token_count=256, runs=Runs(), literals=b"", streams=[b"y"] * 256),
        StoredFrame(b"z"),
        End(b"\x07" * 32),
    ],
)
def test_frames_come_back(frame: CodedFrame | StoredFrame | End) -> None:
    assert read_frame(reader(frame.to_bytes()), PREAMBLE) == frame


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        (coded(plain_length=0), "frame's length is 0"),
        (coded(plain_length=(1 << 24) + 1), "frame's length is"),
        (coded(token_count=13), "token count is 13"),
        (coded(runs=Runs([Run(RunKind.TEXT, 1)] * 13)), "run count is 13"),
        (coded(runs=Runs([Run(RunKind.TEXT, 0)] * 5)), "a run is 0"),
        (coded(runs=Runs([Run(RunKind.TEXT, 4)])), "have 4 tokens"),
        (coded(runs=Runs([Run(RunKind.TEXT, 6)])), "longer than the frame"),
        (coded(runs=Runs([Run(RunKind.TEXT, 5), Run(RunKind.LITERAL, 13)])), "longer than the frame"),
        (coded(cells=1), "cells is 1"),
        (coded(cells=4097), "cells is 4097"),
        (coded(block=0), "block length is 0"),
        (coded(block=4097), "block length is 4097"),
        (coded(streams=[]), "lane count is 0"),
        (coded(streams=[b"a"] * 6), "lane count is 6"),
        (coded(streams=[b""]), "stream is 0"),
        (coded(streams=[bytes(8 + 2 * 11 * 5 + 2 * 32 + 1)]), "stream is 183, allowed is 1 .. 182"),
    ],
)
def test_what_a_frame_may_not_hold(frame: CodedFrame, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        read_frame(reader(frame.to_bytes()), PREAMBLE)


def test_a_stream_of_just_the_greatest_length_is_allowed() -> None:
    frame = coded(streams=[bytes(182)])
    assert read_frame(reader(frame.to_bytes()), PREAMBLE) == frame
    assert tree_depth(PREAMBLE.vocab_size) == 11


def test_a_damaged_stream_is_named() -> None:
    content = bytearray(coded().to_bytes())
    content[-1] ^= 1
    with pytest.raises(FormatError, match="stream of lane 1 is damaged"):
        read_frame(reader(bytes(content)), PREAMBLE)


def test_unknown_frames_and_what_follows_the_end() -> None:
    with pytest.raises(FormatError, match="no kind of frame 03, at byte 0"):
        read_frame(reader(b"\x03"), PREAMBLE)
    with pytest.raises(FormatError, match="follow the end of the container, from byte 33"):
        read_frame(reader(End(bytes(32)).to_bytes() + b"\x00"), PREAMBLE)


class Claims(io.RawIOBase):
    """A file that notes how much is asked of it at once."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)
        self.largest = 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, size)
        return self._content.read(size)


def test_a_claimed_length_is_not_allocated() -> None:
    header = StoredFrame(bytes(1 << 24)).to_bytes()[:13]
    file = Claims(header)
    with pytest.raises(FormatError, match="truncated"):
        read_frame(ByteReader(file), PREAMBLE)  # type: ignore[arg-type]
    assert file.largest <= 1 << 16


@pytest.mark.parametrize("kind", RunKind)
def test_runs_of_one_byte_take_a_few_bytes_each(kind: RunKind) -> None:
    """A file may say millions of them, and needs one byte for each."""
    count = 1 << 16
    runs = Runs(Run(kind, 1) for _ in range(count))
    if kind == RunKind.LITERAL:
        runs.append(RunKind.TEXT, 1)
    texts = sum(run.length for run in runs if run.kind == RunKind.TEXT)
    frame = coded(
        plain_length=2 * count, token_count=texts, runs=runs, literals=bytes(len(runs) - texts), streams=[b"x"]
    )
    raw = frame.to_bytes()
    tracemalloc.start()
    try:
        found = read_frame(reader(raw), PREAMBLE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == frame
    assert peak < 12 * len(raw)
