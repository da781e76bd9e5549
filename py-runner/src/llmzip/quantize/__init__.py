"""Checkpoints to ONNX graphs: `model.safetensors` + `config.json` in, `.onnx` files out.

Owns reading of checkpoints, the choice of scales and the construction of graphs, with numpy and onnx
alone: no exporter, no PyTorch. It runs no inference. The same input gives the same bytes.
"""

from .checkpoint import Checkpoint, Weights
from .config import DecoderConfig
from .errors import CheckpointError, QuantizeError
from .exported import ExportedGraph
from .flavours import EXACT, FLAVOURS, Flavour, quantized_flavours, serialised
from .nbits import PRESETS, NbitsSettings

__all__ = [
    "EXACT",
    "FLAVOURS",
    "PRESETS",
    "Checkpoint",
    "CheckpointError",
    "DecoderConfig",
    "ExportedGraph",
    "Flavour",
    "NbitsSettings",
    "QuantizeError",
    "Weights",
    "quantized_flavours",
    "serialised",
]
