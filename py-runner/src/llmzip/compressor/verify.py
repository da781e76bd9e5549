"""The proof that a container gives back what went into it: the hash of what was read, and the decoding of what was written.

Owns no file: it is given binary streams.
"""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO, NamedTuple, cast

from llmzip.compressor.decode import decompress
from llmzip.compressor.progress import Progress, no_progress
from llmzip.errors import InternalError, LlmzipError
from llmzip.model.source import LanguageModel


class PlainDigest(NamedTuple):
    """What went into a container: how many bytes, and their SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class HashedInput:
    """An input that is hashed while it is read, so that what a pipe gave can be held to later."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._bytes, self._hash = file, 0, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        """As of the file."""
        content = self._file.read(count)
        self._bytes += len(content)
        self._hash.update(content)
        return content

    def finish(self) -> PlainDigest:
        """What was read."""
        return PlainDigest(self._bytes, self._hash.hexdigest())


class _Nowhere(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, content: object) -> int:
        return len(cast("bytes", content))


def verify(container: BinaryIO, plain: PlainDigest, model: LanguageModel, progress: Progress = no_progress) -> None:
    """Decode a container as any reader would and hold what comes out to what went in. Nothing of it is kept.

    Raises the errors of `decompress`, with words that say when it failed, and `InternalError` when other bytes come out than went in.
    """
    try:
        found = decompress(container, cast("BinaryIO", _Nowhere()), model, progress)
    except LlmzipError as error:
        message = f"what was written does not decode, and was not kept: {error.message}"
        raise type(error)(message, error.hint) from error
    if (found.plain_bytes, found.plain_sha256) != plain:
        raise InternalError(
            f"what was written decodes to {found.plain_bytes} bytes of SHA-256 {found.plain_sha256}, and was not kept: "
            f"{plain.bytes} bytes of {plain.sha256} went in",
            "this is a defect of llmzip, or of the machine; report it with the text above",
        )
