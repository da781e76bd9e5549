"""Reading fields of a hostile byte stream. Owns limits, truncation and crc32 of what was read; knows no layout."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

from llmzip.errors import FormatError, IoError

MAX_VARINT_BYTES = 8
# A claimed length is read in pieces of this many bytes, so that only what is there is ever held.
PIECE = 1 << 16


def write_varint(value: int) -> bytes:
    """LEB128 in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_u32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return struct.pack("<I", value)


class ByteReader:
    """Fields of a binary file, in order.

    Every method raises `FormatError` when the file ends before the field does, and `IoError` when it cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._crc = 0
        self.offset = 0

    def start_crc(self) -> None:
        """Begin a checksum with the next byte."""
        self._crc = 0

    def take(self, count: int, what: str) -> bytes:
        """Exactly `count` bytes."""
        out = bytearray()
        while len(out) < count:
            piece = self._read(min(PIECE, count - len(out)))
            if not piece:
                raise FormatError(f"the container ends in {what}, at byte {self.offset}: it is truncated")
            out += piece
        self._crc = zlib.crc32(out, self._crc)
        return bytes(out)

    def byte(self, what: str, low: int = 0, high: int = 255) -> int:
        """One byte, `low .. high`."""
        return self._within(self.take(1, what)[0], what, low, high)

    def varint(self, what: str, low: int, high: int) -> int:
        """One varint, `low .. high`."""
        value = 0
        for place in range(MAX_VARINT_BYTES):
            digit = self.take(1, what)[0]
            value |= (digit & 0x7F) << (7 * place)
            if digit < 0x80:
                if value >= 1 << 53 or (digit == 0 and place > 0):
                    raise FormatError(f"{what} before byte {self.offset} is not a varint in its shortest form")
                return self._within(value, what, low, high)
        raise FormatError(f"{what} before byte {self.offset} is a varint of more than {MAX_VARINT_BYTES} bytes")

    def u32(self, what: str) -> int:
        """One u32."""
        value: int = struct.unpack("<I", self.take(4, what))[0]
        return value

    def check_crc(self, what: str) -> None:
        """Read a crc32 and compare it with that of everything since `start_crc`."""
        expected = self._crc
        found = self.u32(f"the crc32 of {what}")
        if found != expected:
            raise FormatError(f"{what} is damaged: its crc32 is {expected:08x}, the container says {found:08x}")

    def check_end(self) -> None:
        """Nothing may follow."""
        if self._read(1):
            raise FormatError(f"bytes follow the end of the container, from byte {self.offset - 1}")

    def _read(self, count: int) -> bytes:
        try:
            piece = self._file.read(count)
        except OSError as error:
            raise IoError.reading("the container", error) from error
        self.offset += len(piece)
        return piece

    @staticmethod
    def _within(value: int, what: str, low: int, high: int) -> int:
        if not low <= value <= high:
            raise FormatError(f"{what} is {value}, allowed is {low} .. {high}")
        return value
