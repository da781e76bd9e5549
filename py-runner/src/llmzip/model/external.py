"""Where a weight lies that is not in the ONNX file: the file beside it, and the bytes there. Opens none.

What else a tensor may say of its place is refused, because the model's SHA-256 covers no more than these files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmzip.errors import ModelError

MAX_DATA_FILES = 100
"""As many as transformers.js loads."""
# Printable ASCII without what separates the parts of a path on any system.
_NAME = re.compile(r"[ -~]{1,255}")
_SEPARATORS = frozenset("/\\:")
# More than any file has.
_NUMBER = re.compile(r"[0-9]{1,15}")
_KEYS = frozenset({"location", "offset", "length", "checksum"})


@dataclass(frozen=True)
class ExternalData:
    """The files that hold initializers of a graph: by name, the end of the part of it that is used, in bytes.

    `hidden` says whether anything but initializers of the graph itself lies in other files.
    """

    ends: Mapping[str, int] = field(default_factory=dict)
    hidden: bool = False


def read_external_data(content: bytes) -> ExternalData:
    """What an ONNX file says of weights in other files; nothing for what is no ONNX file.

    Raises `ModelError` for a place that is none: a file that is not beside the ONNX file, or no offset and length.
    """
    # Every reference to another file has this key, or is refused: large models without one need not be parsed.
    if b"location" not in content:
        return ExternalData()
    import onnx  # noqa: PLC0415 - needed for this alone
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        return ExternalData()
    ends: dict[str, int] = {}
    for tensor in filter(_is_external, model.graph.initializer):
        name, end = _place(tensor)
        ends[name] = max(end, ends.get(name, 0))
    if len(ends) > MAX_DATA_FILES:
        raise _refused("its weights lie in too many files")
    return ExternalData(ends, any(map(_is_external, _hidden(model))))


def _place(tensor: Any) -> tuple[str, int]:
    """The file that a tensor lies in, and the end of its bytes there."""
    entries = [(_text(entry.key), _text(entry.value)) for entry in tensor.external_data]
    place = dict(entries)
    if not place.keys() <= _KEYS:
        raise _refused("a weight in another file says more of its place than is known")
    known = [key for key, _ in entries if key != "checksum"]
    if len(known) != len(set(known)):
        raise _refused("a weight in another file has two places")
    name, offset, length = place.get("location", ""), place.get("offset", "0"), place.get("length", "")
    if not _NAME.fullmatch(name) or _SEPARATORS & set(name) or name in (".", ".."):
        raise _refused("a weight lies in a file that has no plain name, or is not beside the model file")
    if not _NUMBER.fullmatch(offset) or not _NUMBER.fullmatch(length):
        raise _refused("a weight in another file has no proper offset and length")
    return name, int(offset) + int(length)


def _is_external(tensor: Any) -> bool:
    # 1 is EXTERNAL.
    return tensor.data_location == 1 or len(tensor.external_data) > 0


def _hidden(model: Any) -> Iterator[Any]:
    """The tensors that may not lie in other files."""
    yield from _sparse(model.graph)
    yield from _of_nodes(model.graph.node)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _sparse(graph: Any) -> Iterator[Any]:
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for subgraph in (attribute.g, *attribute.graphs):
            yield from subgraph.initializer
            yield from _sparse(subgraph)
            yield from _of_nodes(subgraph.node)


def _text(value: str | bytes) -> str:
    """A field of text: the library gives bytes where it is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _refused(reason: str) -> ModelError:
    return ModelError(
        f"the model file is not an ONNX model that can be used: {reason}",
        "take an .onnx file of a decoder with a cache, whose weights are in it or in files beside it",
    )
