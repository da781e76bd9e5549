"""The q4 file of a q4f16 file: float32 activations, the same weights of few bits. Owns the reading of that file and the chain of hashes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from llmzip.errors import IoError

from .activations import to_float32
from .errors import QuantizeError
from .flavours import FLAVOURS, serialised
from .manifest import FileEntry, file_lines, variant_lines

FLAVOUR = FLAVOURS["q4"]


@dataclass(frozen=True)
class WidenedModel:
    """A graph with float32 activations as bytes, and the file that it was made of."""

    content: bytes
    source: str
    source_sha256: str

    def manifest_entry(self) -> str:
        """The lines of a manifest.toml for this file."""
        path, digest = f"onnx/{FLAVOUR.file_name}", hashlib.sha256(self.content).hexdigest()
        file = FileEntry(path, len(self.content), digest, self.source, self.source_sha256)
        return f"{variant_lines(FLAVOUR)}\n{file_lines(file)}"


def widen_file(path: Path) -> WidenedModel:
    """Read a graph with float16 activations and give the one with float32; every float16 has its float32, so no weight changes.

    Raises IoError, and QuantizeError for a file that is no such graph or keeps weights elsewhere.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IoError.reading(path, error) from error
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise QuantizeError(f"{path} is no ONNX file: {error}", "name a file such as model_q4f16.onnx") from error
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise QuantizeError(
            f"{path} keeps weights in other files", "use a model that is one file: its SHA-256 covers all of it"
        )
    values = (*model.graph.input, *model.graph.initializer)
    kinds = {
        each.type.tensor_type.elem_type if isinstance(each, onnx.ValueInfoProto) else each.data_type for each in values
    }
    if TensorProto.FLOAT16 not in kinds:
        raise QuantizeError(
            f"{path} has nothing in float16", "name a file with float16 activations, such as model_q4f16.onnx"
        )
    return WidenedModel(serialised(to_float32(model)), path.name, hashlib.sha256(content).hexdigest())
