"""The project's own exporter: a Llama decoder node by node, in the style of the files that transformers.js loads.

Owns that graph: separate RotaryEmbedding with position_ids, GroupQueryAttention, a tied embedding stored once. With numpy and onnx alone;
the same input gives the same bytes.
"""

from .decoder import export_own

__all__ = ["export_own"]
