"""The flavours of a model: what its activations are, and how one is made of another. Owns the table and the order of making.

`q4f16` has activations and KV cache in float16; `q4` in float32, with the same weights of 4 bits; `exact` is built from the checkpoint, or
from either of them, by `quantize.exact`.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from .activations import to_float16, to_float32
from .errors import QuantizeError
from .exported import ExportedGraph
from .nbits import NbitsSettings, quantize
from .nbits.rewrite import Progress

LARGEST_FILE = 2**31 - 1
"""In bytes: protobuf reads no greater message."""


@dataclass(frozen=True)
class Flavour:
    """One way to store a model; the file is called `model_{name}.onnx`.

    `activation` is the ONNX element type of activations and KV cache, None where they are integers. `agreement` is the word of the manifest
    for it, which says what class of agreement to expect (`harness/src/compare/classes.toml`), and `eps` the default of containers.
    """

    name: str
    activation: int | None
    agreement: str
    eps: str

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type of activations."""
        return np.dtype(np.float16 if self.activation == TensorProto.FLOAT16 else np.float32)

    @property
    def file_name(self) -> str:
        """The file's name inside the `onnx` folder of a model."""
        return f"model_{self.name}.onnx"


EXACT = Flavour("exact", None, "exact", "0")
FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour
    for flavour in (
        Flavour("q4f16", TensorProto.FLOAT16, "float16", "2e-2"),
        Flavour("q4", TensorProto.FLOAT, "float32", "2e-4"),
    )
}
"""Those with weights of few bits in a graph of floats."""


def quantized_flavours(
    graph: ExportedGraph,
    settings: NbitsSettings,
    names: Collection[str] = tuple(FLAVOURS),
    progress: Progress | None = None,
) -> dict[str, onnx.ModelProto]:
    """Quantise once and return the flavours of those names; all hold the same packed weights and scales.

    From a graph with float16 activations, q4 is q4f16 with every float wider, its embedding and norms as float16 left them. Raises
    QuantizeError.
    """
    model = quantize(graph, settings, progress)
    made: dict[str, onnx.ModelProto] = {}
    if "q4f16" in names:
        made["q4f16"] = model if graph.activations == "fp16" else to_float16(model, graph.precise)
    if "q4" in names:
        made["q4"] = model if graph.activations == "fp32" else to_float32(model)
    return made


def serialised(model: onnx.ModelProto) -> bytes:
    """The bytes of the ONNX file, the same for the same graph. Raises QuantizeError when one file cannot hold them."""
    if model.ByteSize() > LARGEST_FILE:
        raise QuantizeError(
            f"the graph would have {model.ByteSize()} bytes, more than a single ONNX file may have",
            "split it (--split-mib), or choose a smaller model",
        )
    content: bytes = model.SerializeToString(deterministic=True)
    return content
