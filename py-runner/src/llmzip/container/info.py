"""What a container tells without its model: the head's fields and the totals of its frames, held to their limits and crc32s.

Owns the totals. One frame at a time is in memory. Knows no names of models.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from llmzip.container.bytes import ByteReader
from llmzip.container.layout import CodedFrame, End, Preamble, read_frame, read_preamble
from llmzip.errors import FormatError


@dataclass(frozen=True)
class ContainerInfo:
    """What a whole container tells without its model. Lengths are in bytes.

    `lanes` are the fewest and the most of a coded frame, None where no frame is coded. `plain_sha256` is what the end states;
    `plain_is_verified` says whether it was held to the bytes, which it can be where every frame is stored.
    """

    preamble: Preamble
    coded_frames: int
    stored_frames: int
    lanes: tuple[int, int] | None
    tokens: int
    plain_bytes: int
    plain_sha256: str
    plain_is_verified: bool
    container_bytes: int

    @property
    def ratio_thousandths(self) -> int | None:
        """Plain bytes per byte of the container, in thousandths, rounded; None of an empty input."""
        if self.plain_bytes == 0:
            return None
        # Whole numbers, so that every language rounds alike.
        return (2000 * self.plain_bytes + self.container_bytes) // (2 * self.container_bytes)


def read_info(container: BinaryIO) -> ContainerInfo:
    """Read all of a container and check what can be checked without its model.

    That is limits, order, every crc32, that nothing follows the end, and the SHA-256 where every frame is stored. Raises `FormatError`,
    `IoError`.
    """
    reader = ByteReader(container)
    preamble = read_preamble(reader)
    coded = stored = tokens = plain_bytes = 0
    lanes: tuple[int, int] | None = None
    stored_hash = hashlib.sha256()
    while not isinstance(frame := read_frame(reader, preamble), End):
        if isinstance(frame, CodedFrame):
            coded += 1
            tokens += frame.token_count
            plain_bytes += frame.plain_length
            count = len(frame.streams)
            least, most = lanes or (count, count)
            lanes = min(least, count), max(most, count)
        else:
            stored += 1
            plain_bytes += len(frame.plain)
            stored_hash.update(frame.plain)
    if coded == 0 and stored_hash.digest() != frame.plain_sha256:
        raise FormatError(
            f"the plain bytes have SHA-256 {stored_hash.hexdigest()}, the container says {frame.plain_sha256.hex()}: "
            "a frame is missing, misplaced or damaged"
        )
    return ContainerInfo(
        preamble, coded, stored, lanes, tokens, plain_bytes, frame.plain_sha256.hex(), coded == 0, reader.offset
    )
