"""The container's layout (FORMAT.md section 2): its parts as values, to bytes and back.

Owns every field's place and limits. Reads and writes bytes only: what they mean to a model is the compressor's business.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from llmzip.codec.tree import tree_depth
from llmzip.container.bytes import ByteReader, write_u32, write_varint
from llmzip.container.eps import MAX_EXPONENT, Eps
from llmzip.errors import FormatError
from llmzip.model.context import MAX_LANES, MAX_WINDOW, lane_lengths

MAGIC = b"\x89LMZ"
VERSION = 1
CODED, STORED, END = 0x01, 0x02, 0x00
MAX_VOCAB_SIZE = 1 << 20
MAX_FRAME_BYTES = 1 << 24
MAX_OFFSETS = 64
MAX_CELLS = 4096
MAX_BLOCK = 4096
MAX_FINGERPRINT = 32
ANY = (1 << 53) - 1


class RunKind(IntEnum):
    """What a run holds."""

    TEXT = 0
    LITERAL = 1


class Run(NamedTuple):
    """A stretch of a frame's plain bytes: `length` tokens of text, or `length` literal bytes."""

    kind: RunKind
    length: int


class Runs:
    """Runs in order, each packed into four bytes as the container's number for it: a run may be one byte of a file.

    A length is below 2^31, which is far above what a frame may hold.
    """

    __slots__ = ("_packed",)

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._packed = array("I", (2 * run.length + run.kind for run in runs))

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[Run]:
        return (Run(_KINDS[packed & 1], packed >> 1) for packed in self._packed)

    def __eq__(self, other: object) -> bool:
        return self._packed == other._packed if isinstance(other, Runs) else NotImplemented

    # They can be added to.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Runs({list(self)})"

    def append(self, kind: RunKind, length: int) -> None:
        """Add a run at the end."""
        self._packed.append(2 * length + kind)

    def append_literal(self, length: int) -> None:
        """Add literal bytes at the end: to the last run, if it is one of them."""
        if self._packed and self._packed[-1] & 1 == RunKind.LITERAL:
            self._packed[-1] += 2 * length
        else:
            self.append(RunKind.LITERAL, length)

    def to_bytes(self) -> bytes:
        """The container's numbers, without their count."""
        out = bytearray()
        for packed in self._packed:
            out += write_varint(packed)
        return bytes(out)


_KINDS = tuple(RunKind)


@dataclass(frozen=True)
class Preamble:
    """What all frames share."""

    model_sha256: bytes
    tokenizer_sha256: bytes
    vocab_size: int
    eps: Eps
    offsets: int
    start_token: int
    window: int
    overlap: int
    fingerprint: str

    @property
    def depth(self) -> int:
        """Depth of the tree."""
        return tree_depth(self.vocab_size)

    def to_bytes(self) -> bytes:
        """The preamble's bytes."""
        out = MAGIC + bytes([VERSION]) + self.model_sha256 + self.tokenizer_sha256
        out += write_varint(self.vocab_size)
        out += bytes([self.depth, self.eps.mantissa, self.eps.exponent, self.offsets])
        out += write_varint(self.start_token) + write_varint(self.window) + write_varint(self.overlap)
        out += write_varint(len(self.fingerprint)) + self.fingerprint.encode("ascii")
        return out + write_u32(zlib.crc32(out))


@dataclass(frozen=True)
class CodedFrame:
    """A frame of tokens and literal bytes. An empty `runs` is one text run of all tokens."""

    plain_length: int
    plain_crc32: int
    token_count: int
    runs: Runs
    literals: bytes = field(repr=False)
    cells: int
    block: int
    streams: list[bytes] = field(repr=False)

    @property
    def lane_lengths(self) -> list[int]:
        """Tokens of each lane."""
        return lane_lengths(self.token_count, len(self.streams))

    @property
    def all_runs(self) -> Runs:
        """The runs, with the one that none stand for."""
        return self.runs if self.runs else Runs([Run(RunKind.TEXT, self.token_count)])

    def to_bytes(self) -> bytes:
        """The frame's bytes."""
        out = bytes([CODED]) + write_varint(self.plain_length) + write_u32(self.plain_crc32)
        out += write_varint(self.token_count) + write_varint(len(self.runs))
        out += (
            self.runs.to_bytes()
            + self.literals
            + write_varint(self.cells)
            + write_varint(self.block)
            + write_varint(len(self.streams))
        )
        out += b"".join(write_varint(len(stream)) + write_u32(zlib.crc32(stream)) for stream in self.streams)
        return b"".join([out, write_u32(zlib.crc32(out)), *self.streams])


@dataclass(frozen=True)
class StoredFrame:
    """A frame whose plain bytes stand as they are."""

    plain: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The frame's bytes."""
        out = bytes([STORED]) + write_varint(len(self.plain)) + write_u32(zlib.crc32(self.plain))
        return out + write_u32(zlib.crc32(out)) + self.plain


@dataclass(frozen=True)
class End:
    """The end of a container."""

    plain_sha256: bytes

    def to_bytes(self) -> bytes:
        """The end's bytes."""
        return bytes([END]) + self.plain_sha256


def read_preamble(reader: ByteReader) -> Preamble:
    """Read the preamble. Raises `FormatError` when it is damaged, not one, or of another version."""
    reader.start_crc()
    if reader.take(len(MAGIC), "the magic") != MAGIC:
        raise FormatError(
            "this is not an LLMzip container: it begins with other bytes", "check that it is the right file"
        )
    version = reader.byte("the version")
    if version != VERSION:
        raise FormatError(
            f"this container has version {version}, this reader knows version {VERSION}",
            "use a newer llmzip, or get the file again if it was damaged",
        )
    model_sha256 = reader.take(32, "the model's SHA-256")
    tokenizer_sha256 = reader.take(32, "the tokenizer's SHA-256")
    vocab_size = reader.varint("the vocabulary size", 2, MAX_VOCAB_SIZE)
    reader.byte("the tree depth", tree_depth(vocab_size), tree_depth(vocab_size))
    eps = Eps(reader.byte("the eps mantissa"), reader.byte("the eps exponent", 0, MAX_EXPONENT))
    if not eps.is_valid():
        raise FormatError(f"eps is {eps.mantissa}/10^{eps.exponent}, which is not its shortest form or not below 1")
    offsets = reader.byte("the number of offsets", 1, MAX_OFFSETS)
    start_token = reader.varint("the start token", 0, vocab_size - 1)
    window = reader.varint("the window", 2, MAX_WINDOW)
    overlap = reader.varint("the overlap", 0, window - 1)
    fingerprint = reader.take(reader.varint("the fingerprint's length", 0, MAX_FINGERPRINT), "the fingerprint")
    if not all(0x21 <= byte <= 0x7E for byte in fingerprint):
        raise FormatError("the fingerprint is not printable ASCII")
    reader.check_crc("the preamble")
    return Preamble(
        model_sha256,
        tokenizer_sha256,
        vocab_size,
        eps,
        offsets,
        start_token,
        window,
        overlap,
        fingerprint.decode("ascii"),
    )


def read_frame(reader: ByteReader, preamble: Preamble) -> CodedFrame | StoredFrame | End:
    """Read the next frame, or the end. Raises `FormatError` when it is damaged."""
    reader.start_crc()
    kind = reader.byte("the kind of a frame")
    if kind == CODED:
        return _read_coded(reader, preamble)
    if kind == STORED:
        return _read_stored(reader)
    if kind == END:
        end = End(reader.take(32, "the SHA-256 of the plain bytes"))
        reader.check_end()
        return end
    raise FormatError(f"there is no kind of frame {kind:02x}, at byte {reader.offset - 1}")


def _read_coded(reader: ByteReader, preamble: Preamble) -> CodedFrame:
    plain_length = reader.varint("a frame's length", 1, MAX_FRAME_BYTES)
    plain_crc32 = reader.u32("a frame's crc32")
    token_count = reader.varint("a frame's token count", 1, plain_length)
    runs = Runs()
    text = literal = 0
    for _ in range(reader.varint("a frame's run count", 0, plain_length)):
        length, kind = divmod(reader.varint("a run", 2, ANY), 2)
        if kind == RunKind.TEXT:
            text += length
        else:
            literal += length
        if text > token_count or literal > plain_length:
            raise FormatError(f"the runs of a frame are longer than the frame, before byte {reader.offset}")
        runs.append(RunKind(kind), length)
    if runs and text != token_count:
        raise FormatError(f"a frame's text runs have {text} tokens, the frame has {token_count}")
    literals = reader.take(literal, "a frame's literals")
    cells = reader.varint("a frame's number of cells", 2, MAX_CELLS)
    block = reader.varint("a frame's block length", 1, MAX_BLOCK)
    lane_count = reader.varint("a frame's lane count", 1, min(token_count, MAX_LANES))
    expected = []
    for tokens in lane_lengths(token_count, lane_count):
        most = 8 + 2 * preamble.depth * tokens + 2 * preamble.offsets * -(-tokens // block)
        expected.append((reader.varint("the length of a lane's stream", 1, most), reader.u32("a lane's crc32")))
    reader.check_crc("a frame's header")
    streams = []
    for lane, (length, crc32) in enumerate(expected):
        stream = reader.take(length, f"the stream of lane {lane}")
        if zlib.crc32(stream) != crc32:
            raise FormatError(f"the stream of lane {lane} is damaged, before byte {reader.offset}")
        streams.append(stream)
    return CodedFrame(plain_length, plain_crc32, token_count, runs, literals, cells, block, streams)


def _read_stored(reader: ByteReader) -> StoredFrame:
    plain_length = reader.varint("a frame's length", 1, MAX_FRAME_BYTES)
    plain_crc32 = reader.u32("a frame's crc32")
    reader.check_crc("a frame's header")
    plain = reader.take(plain_length, "a stored frame")
    if zlib.crc32(plain) != plain_crc32:
        raise FormatError(f"a stored frame is damaged, before byte {reader.offset}")
    return StoredFrame(plain)
