"""The flavours of a graph: how weights are stored and what activations are. Owns the table only."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto


@dataclass(frozen=True)
class Flavour:
    """One way to store a model; the file is called `model_{name}.onnx`.

    `activation` is the ONNX element type of activations, embedding and KV cache; weights of linear
    layers have 4 bits in blocks of `block` along the input dimension.
    """

    name: str
    activation: int
    block: int = 32

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type of activations."""
        return np.dtype(np.float16 if self.activation == TensorProto.FLOAT16 else np.float32)

    @property
    def file_name(self) -> str:
        """The file's name inside the `onnx` folder of a model."""
        return f"model_{self.name}.onnx"


FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour for flavour in (Flavour("q4f16", TensorProto.FLOAT16), Flavour("q4", TensorProto.FLOAT))
}
