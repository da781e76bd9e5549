"""The checker of exact graphs: whether an ONNX file gives the same bits in every engine, and which nodes do not.

Owns the rules of EXACT.md, as proofs over the graph and its weights; builds and runs nothing. The module `check` says what
is proved and what is assumed.
"""

from .check import OPS, check, describe
from .report import Positions, Report, Rule, Violation

__all__ = ["OPS", "Positions", "Report", "Rule", "Violation", "check", "describe"]
