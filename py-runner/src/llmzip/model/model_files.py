"""The files of one graph: the ONNX file and those beside it that hold weights of it, under one SHA-256 (FORMAT.md, section 2).

Owns their reading: what was hashed is what is loaded. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmzip.errors import ModelError, UnsupportedError
from llmzip.model.exactness import METADATA_KEY
from llmzip.model.external import ExternalData, read_external_data
from llmzip.model.identity import model_identity
from llmzip.model.provenance import check_sha256, read_verified, sha256


@dataclass(frozen=True)
class ModelFiles:
    """The content of the ONNX file, that of each file of weights by its name, and the model's SHA-256."""

    onnx: bytes
    data: Mapping[str, bytes] = field(default_factory=dict)
    sha256: str = ""

    def check(self) -> None:
        """Hold what the graph says of its weights' places to the files that are here.

        Raises `UnsupportedError` when weights lie in other files than these, or in these although the graph says that it is exact.
        """
        external = read_external_data(self.onnx)
        if external.hidden or not external.ends.keys() <= self.data.keys():
            raise UnsupportedError(
                "the model keeps weights in other files, where this runner does not look for them",
                "only initializers of the graph itself may lie in files beside it; or use a model that is one file",
            )
        if self.data and METADATA_KEY.encode() in self.onnx:
            raise UnsupportedError(
                "the graph says that it is exact, but keeps weights in other files",
                "use an exact graph that is one file",
            )


def read_model_files(path: Path, expected: str | None) -> ModelFiles:
    """Read the ONNX file at `path` and every file that it names, and hold their SHA-256 to the expected one (None expects nothing).

    Raises `SetupError` when a file is missing, `IoError`, `IntegrityError` when the SHA-256 is another, `ModelError` when a weight lies
    behind the end of its file.
    """
    onnx, onnx_sha256 = read_verified(path, None)
    try:
        external = read_external_data(onnx)
    except ModelError:
        # That it cannot be used is said when it is loaded, if it is the right file.
        external = ExternalData()
    data: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    for name in sorted(external.ends):
        data[name], hashes[name] = read_verified(path.with_name(name), None)
    identity = model_identity(onnx_sha256, hashes)
    covered = "".join(f", {name} {each}" for name, each in hashes.items())
    check_sha256(f"{path} with its files of weights ({onnx_sha256}{covered})" if data else path, identity, expected)
    for name, end in external.ends.items():
        if len(data[name]) < end:
            raise ModelError(
                f"{name} has {len(data[name])} bytes, but a weight ends at byte {end}",
                "get the model's files again, all of them",
            )
    return ModelFiles(onnx, data, identity)


def one_file(onnx: bytes) -> ModelFiles:
    """A model that is one file."""
    return ModelFiles(onnx, {}, sha256(onnx))
