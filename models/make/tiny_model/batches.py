"""Training batches out of the corpus: windows of tokens, cold and from the start. Owns the sampling.

A third of the rows begins with the start token at the head of a document, as the first window of a
lane does; the rest begins in the middle of one, as each later window does.
"""

from dataclasses import dataclass, field
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .corpus import document
from .shape import START_ID, WINDOW

_FROM_START = 0.35
_SOURCES = 0.08


@dataclass
class Batches:
    """An endless, seeded stream of [rows, WINDOW + 1] token ids. `drawn` is all of its state."""

    tokenizer: Tokenizer
    rows: int
    sources: tuple[str, ...] = ()
    split: str = "train"
    drawn: int = 0
    _sources: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self._sources = [self._encode(text) for text in self.sources]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _document(self, rng: Random, number: int) -> list[int]:
        if self._sources and rng.random() < _SOURCES:
            ids = rng.choices(self._sources, weights=[len(ids) for ids in self._sources])[0]
            at = rng.randrange(max(1, len(ids) - WINDOW))
            return ids[at:]
        return self._encode(document(self.split, number))

    def _row(self, number: int) -> list[int]:
        rng = Random(f"row/{self.split}/{number}")
        ids = self._document(rng, 8 * number)
        from_start = rng.random() < _FROM_START
        row = [START_ID, *ids] if from_start else ids[rng.randrange(max(1, len(ids) - WINDOW // 2)) :]
        extra = 8 * number
        while len(row) <= WINDOW:
            extra += 1
            row += [START_ID, *self._document(rng, extra)]
        return row[: WINDOW + 1]

    def draw(self) -> Tensor:
        """The next batch, int64 [rows, WINDOW + 1]."""
        first = self.drawn * self.rows
        self.drawn += 1
        return torch.tensor([self._row(first + i) for i in range(self.rows)], dtype=torch.int64)
