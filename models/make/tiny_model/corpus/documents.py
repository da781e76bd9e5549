"""Endless training documents by seed. Owns the mixture; the texts come from `kinds`."""

from collections.abc import Iterator
from itertools import count
from random import Random

from .kinds import KINDS

SPLITS = ("train", "validation", "test")

_MIXED_SHARE = 0.15


def document(split: str, number: int) -> str:
    """Document `number` of `split`: mostly one kind, some of several kinds one after the other.

    Raises ValueError when there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}: use one of {', '.join(SPLITS)}")
    rng = Random(f"{split}/{number}")
    shares = [kind.share for kind in KINDS]
    if rng.random() < _MIXED_SHARE:
        kinds = rng.choices(KINDS, weights=shares, k=rng.randint(2, 4))
        return "\n".join(kind.generator(rng, rng.randint(200, 1200)) for kind in kinds)
    return rng.choices(KINDS, weights=shares)[0].generator(rng, rng.randint(600, 4200))


def documents(split: str) -> Iterator[str]:
    """All documents of `split`, without end."""
    return (document(split, number) for number in count())
