"""The weights of a 4-bit ONNX decoder, dequantised. Owns how exporters name nodes and initializers, and what they mean.

Layers are told by their names, which all exporters take from the checkpoint (`layers.3`, `q_proj`, `input_layernorm`); shapes are held to
`config.json`. The graph is parsed, never run.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from .checkpoint import Array, linear_shapes
from .config import DecoderConfig
from .errors import CheckpointError
from .nbits.scales import Blocks
from .nbits.settings import BITS, MATMUL_GROUPS

_LAYER = re.compile(r"layers[./](\d+)[./]")
_FUSED = {"qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")}


class OnnxWeights:
    """Weights of the ONNX file at `path`, with the `config.json` that lies beside it or in the folder above."""

    def __init__(self, path: Path) -> None:
        self.path = path
        folder = next((each for each in (path.parent, path.parent.parent) if (each / "config.json").is_file()), None)
        if folder is None:
            raise CheckpointError(f"{path} has no config.json beside it or above", "put the model's own there")
        self.config = DecoderConfig.read(folder / "config.json")
        try:
            graph = onnx.load_model(str(path), load_external_data=False).graph
        except (OSError, DecodeError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}", "get the file again") from error
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._products = {node.name: node for node in graph.node if node.op_type == "MatMulNBits"}
        self._lookups = {node.name: node for node in graph.node if node.op_type == "GatherBlockQuantized"}
        self._reshapes = [node for node in graph.node if node.op_type == "Reshape"]

    def embedding(self) -> Array:
        """Return the token embedding, [vocab, hidden]."""
        shape = (self.config.vocab_size, self.config.hidden_size)
        if self._lookups:
            return self._dequantized(self._lookups[self._only(list(self._lookups), "a token embedding")], shape)
        found = [name for name in self._tensors if "embed_tokens" in name]
        return self._float(self._only(found, "a token embedding"), shape)

    def head(self) -> Array | None:
        """Return the head, [vocab, hidden], or None when it is the embedding."""
        if self.config.tie_word_embeddings:
            return None
        found = [name for name in self._products if "lm_head" in name]
        shape = (self.config.vocab_size, self.config.hidden_size)
        return self._dequantized(self._products[self._only(found, "a 4-bit head")], shape)

    def norm(self, name: str) -> Array:
        """Return the weight of the norm `name` (such as "layers.0.input_layernorm"), [hidden]."""
        if name == "norm":
            found = [each for each in self._tensors if re.search(r"model\.norm\.weight|final_norm", each)]
        else:
            found = [each for each in self._tensors if f"{name}." in each]
        return self._float(self._only(found, f"weights of {name}"), (self.config.hidden_size,))

    def linear(self, layer: int, name: str) -> Array:
        """Return the weight of a linear layer (such as "self_attn.q_proj"), [out, in]."""
        shapes = linear_shapes(self.config)
        node = self._product(layer, name.rpartition(".")[2])
        if node is not None:
            return self._dequantized(self._products[node], shapes[name])
        for fused, parts in _FUSED.items():
            node = self._product(layer, fused)
            if node is not None and name in parts:
                sizes = [shapes[part][0] for part in parts]
                whole = self._dequantized(self._products[node], (sum(sizes), shapes[name][1]))
                first = sum(sizes[: parts.index(name)])
                return whole[first : first + shapes[name][0]]
        raise CheckpointError(
            f"{self.path} has no 4-bit product for {name} of layer {layer}",
            "use a file whose linear layers are MatMulNBits, such as model_q4f16.onnx",
        )

    def bias(self, layer: int, name: str) -> Array:
        """Return the bias of a linear layer, [out]."""
        short = name.rpartition(".")[2]
        found = [
            each
            for each in self._tensors
            if self._is_of(each, layer, short) and re.search(r"bias", each, re.IGNORECASE)
        ]
        return self._float(
            self._only(found, f"a bias of {name} in layer {layer}"), linear_shapes(self.config)[name][:1]
        )

    def head_norm(self, layer: int, name: str) -> Array:
        """Return the weight of the norm of a head ("self_attn.q_norm"), [head_dim]."""
        found = [each for each in self._tensors if self._is_of(each, layer, name.rpartition(".")[2])]
        return self._float(self._only(found, f"weights of {name} in layer {layer}"), (self.config.head_dim,))

    @staticmethod
    def _is_of(name: str, layer: int, part: str) -> bool:
        found = _LAYER.search(name)
        return found is not None and int(found.group(1)) == layer and re.search(rf"[./]{part}[./]", name) is not None

    def _product(self, layer: int, part: str) -> str | None:
        return next((name for name in self._products if self._is_of(name, layer, part)), None)

    def _only(self, found: list[str], what: str) -> str:
        if len(found) != 1:
            count = "none" if not found else ", ".join(found)
            raise CheckpointError(
                f"{self.path} should have {what} once; found: {count}",
                "use a file whose names are those of its checkpoint",
            )
        return found[0]

    def _array(self, name: str) -> npt.NDArray[np.generic]:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise CheckpointError(f"{self.path} has no tensor {name!r}", "get the file again")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise CheckpointError(
                f"{self.path} keeps {name!r} in another file",
                "use a model that is one file: its SHA-256 covers all of it",
            )
        try:
            return numpy_helper.to_array(tensor)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{self.path}: tensor {name!r} is damaged: {error}", "get the file again") from error

    def _float(self, name: str, shape: tuple[int, ...]) -> Array:
        array = self._array(name)
        if array.dtype.kind != "f" or array.shape != shape:
            raise CheckpointError(
                f"{self.path}: {name!r} is {array.dtype} of shape {array.shape}, not a float of {shape}",
                "use a file whose embedding and norms are floats, with its own config.json",
            )
        return array.astype(np.float32)

    def _dequantized(self, node: onnx.NodeProto, shape: tuple[int, int]) -> Array:
        """The weights that a node of few bits reads, [out, in] or [vocab, hidden]; blocks lie along the second dimension."""
        numbers = {attribute.name: attribute.i for attribute in node.attribute}
        bits, block = numbers.get("bits", 4), numbers.get("block_size", 0)
        stated = (numbers.get("N", shape[0]), numbers.get("K", shape[1]))
        if bits not in BITS or stated != shape or block < min(MATMUL_GROUPS) or shape[1] % block:
            raise CheckpointError(
                f"{self.path}: {node.name} has {bits} bits, blocks of {block} and the shape {stated}, "
                f"not 4 or 8 bits, blocks that divide its inputs and {shape}",
                "use a 4-bit file with its own config.json",
            )
        if len(node.input) < 3 or any(node.input[4:]):
            raise CheckpointError(
                f"{self.path}: {node.name} has {'an order of groups or a bias' if len(node.input) > 3 else 'no weights'}",
                "use a 4-bit file whose MatMulNBits have weights, scales and at most zero points",
            )
        is_product = node.op_type == "MatMulNBits"
        names = [node.input[1], *node.input[2:4]] if is_product else [self._unshaped(node.input[0]), *node.input[2:4]]
        packed, scales, *zeros = (self._array(name) for name in names if name)
        rows, blocks = shape[0], shape[1] // block
        points = (blocks * bits + 7) // 8
        sizes = [packed.size == shape[1] * rows * bits // 8, scales.size == rows * blocks]
        if not all(sizes) or packed.dtype != np.uint8 or any(each.size != rows * points for each in zeros):
            raise CheckpointError(
                f"{self.path}: the weights of {node.name} have the wrong length or type", "get the file again"
            )
        zero_points = zeros[0].astype(np.uint8).reshape(rows, points) if zeros else None
        known = Blocks(
            packed.astype(np.uint8).reshape(rows, blocks, -1), _floats(scales).reshape(rows, blocks), zero_points, bits
        )
        return known.dequantized()

    def _unshaped(self, name: str) -> str:
        """The initializer behind a Reshape: an embedding that the head reads too has the head's shape."""
        return next((node.input[0] for node in self._reshapes if node.output[0] == name), name)


def _floats(array: npt.NDArray[np.generic]) -> npt.NDArray[np.floating[Any]]:
    return array.astype(np.float32)
