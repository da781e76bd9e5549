"""Checkpoints to ONNX graphs: `model.safetensors` + `config.json` in, one `.onnx` file out.

Owns reading of checkpoints, the choice of scales and the construction of graphs, with numpy and onnx
alone: no exporter, no PyTorch. It runs no inference. The same input gives the same bytes.
"""

from .checkpoint import Checkpoint, Weights
from .config import DecoderConfig
from .errors import CheckpointError, QuantizeError
from .flavour import FLAVOURS, Flavour
from .llama import build_graph

__all__ = [
    "FLAVOURS",
    "Checkpoint",
    "CheckpointError",
    "DecoderConfig",
    "Flavour",
    "QuantizeError",
    "Weights",
    "build_graph",
]
