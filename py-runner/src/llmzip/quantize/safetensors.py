"""A reader of the safetensors format, bfloat16 included. Owns the bytes of one file; reads lazily.

The file is an unsigned 64-bit little-endian length, that many bytes of JSON (name to dtype, shape and
data offsets), then the data. Nothing is allocated on the word of the header before it is checked
against the file's size.
"""

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CheckpointError

_WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}
_HEADER_LIMIT = 100_000_000


class SafetensorsFile:
    """The float tensors of one file, by name; each access decodes to float32."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise self._damaged(f"cannot be read: {error}") from error
        self._entries = self._read_header()

    def _damaged(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self._path} {what}", "get the file again and compare its SHA-256")

    def _read_header(self) -> dict[str, Any]:
        size = len(self._data)
        length = int.from_bytes(self._data[:8], "little")
        if size < 8 or length > min(size - 8, _HEADER_LIMIT):
            raise self._damaged("has no safetensors header")
        try:
            entries = json.loads(self._data[8 : 8 + length].decode("utf-8"))
        except (RecursionError, ValueError) as error:
            raise self._damaged(f"has a damaged header: {error}") from error
        if not isinstance(entries, dict):
            raise self._damaged("has a header that is not an object")
        entries.pop("__metadata__", None)
        self._start = 8 + length
        return entries

    def names(self) -> list[str]:
        """Return the names of all tensors, in the order of the file."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def float32(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        """Return tensor `name` as float32. Raises CheckpointError if it is missing or not of `shape`."""
        entry = self._entries.get(name)
        if entry is None:
            raise self._damaged(f"has no tensor {name!r}")
        try:
            kind, found = str(entry["dtype"]), tuple(entry["shape"])
            first, last = (self._start + int(offset) for offset in entry["data_offsets"])
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise self._damaged(f"describes tensor {name!r} badly: {error!r}") from error
        if kind not in _WIDTHS:
            raise CheckpointError(
                f"{self._path}: tensor {name!r} is of type {kind}",
                f"convert it to one of {', '.join(_WIDTHS)}",
            )
        if found != shape:
            raise self._damaged(f"has tensor {name!r} of shape {found}, config.json asks for {shape}")
        count = int(np.prod(shape))
        if not (self._start <= first <= last <= len(self._data)) or last - first != count * _WIDTHS[kind]:
            raise self._damaged(f"has tensor {name!r} outside the file or of the wrong length")
        raw = self._data[first:last]
        if kind == "F32":
            return np.frombuffer(raw, "<f4").reshape(shape).astype(np.float32)
        if kind == "F16":
            return np.frombuffer(raw, "<f2").reshape(shape).astype(np.float32)
        wide = np.frombuffer(raw, "<u2").astype(np.uint32) << np.uint32(16)
        return wide.view(np.float32).reshape(shape)
