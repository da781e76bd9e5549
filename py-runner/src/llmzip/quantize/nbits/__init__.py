"""Float ONNX graphs to graphs with weights of few bits.

Owns which weights are quantised, how, and what nodes read them; knows no family of models and no exporter. With numpy and onnx alone, it
runs no inference. The same input gives the same bytes.
"""

from .rewrite import quantize
from .settings import BITS, EMBEDDING_GROUPS, MATMUL_GROUPS, PRESETS, NbitsSettings

__all__ = ["BITS", "EMBEDDING_GROUPS", "MATMUL_GROUPS", "PRESETS", "NbitsSettings", "quantize"]
