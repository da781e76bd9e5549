"""Exact graphs: the same logit bits on every engine. Owns their construction from a checkpoint, with numpy and onnx alone.

EXACT.md has the construction, the rules and the proof sketch.
"""

from .decoder import build_exact_graph

__all__ = ["build_exact_graph"]
