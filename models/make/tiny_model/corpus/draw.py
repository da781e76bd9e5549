"""Small helpers for drawing by chance. Owns no text and no kind of text."""

import math
from collections.abc import Callable
from random import Random


def log_uniform(rng: Random, low: int, high: int) -> int:
    """An integer in [low, high), its logarithm about uniform: as many short numbers as long ones."""
    return int(math.exp(rng.uniform(math.log(low), math.log(high))))


def until(size: int, section: Callable[[], str]) -> str:
    """Sections joined until at least `size` characters are there."""
    parts: list[str] = []
    total = 0
    while total < size:
        parts.append(section())
        total += len(parts[-1])
    return "".join(parts)
