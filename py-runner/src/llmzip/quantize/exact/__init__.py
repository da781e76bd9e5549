"""Exact graphs: the same logit bits on every engine. Owns their construction, with numpy and onnx alone; it runs nothing.

EXACT.md has the construction, the rules and the proof sketch.
"""

from .decoder import Provenance, build_exact_graph
from .export import FILE_NAME, ExactModel, export_exact

__all__ = ["FILE_NAME", "ExactModel", "Provenance", "build_exact_graph", "export_exact"]
