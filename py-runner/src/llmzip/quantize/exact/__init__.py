"""Exact graphs: the same logit bits on every engine. Owns their construction, with numpy and onnx alone, and its trial in ONNX Runtime.

EXACT.md has the construction, the rules and the proof sketch.
"""

from .decoder import Provenance, build_exact_graph
from .export import FILE_NAME, LARGEST_CONTEXT, ExactModel, check_source, export_exact

__all__ = [
    "FILE_NAME",
    "LARGEST_CONTEXT",
    "ExactModel",
    "Provenance",
    "build_exact_graph",
    "check_source",
    "export_exact",
]
