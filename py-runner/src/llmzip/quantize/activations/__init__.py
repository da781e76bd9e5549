"""The type of a graph's activations changed: float16 to float32 and back. Owns floats alone; packed weights of few bits stay as they are.

It runs no inference. The same input gives the same bytes.
"""

from .narrow import to_float16
from .widen import to_float32

__all__ = ["to_float16", "to_float32"]
