"""The interface between whatever computes logits and whatever uses them.

Owns types only. The ONNX session implements it; tests stand on it with synthetic logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from llmzip.model.exactness import Exactness

Logits = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.int64]
# The plan tolerance of a graph whose cache is 32-bit floats: that of the class `other-plan` (FORMAT.md section 8).
FLOAT32_PLAN_TOLERANCE = 2e-4


class LogitsSource(Protocol):
    """Something that predicts: fed with ids, it gives the logits of what follows each."""

    @property
    def vocab_size(self) -> int:
        """`V`, the number of logits in a row."""
        ...

    @property
    def logits_type(self) -> str:
        """Element type of the logits: `float32` or `float16`."""
        ...

    @property
    def max_batch(self) -> int | None:
        """The most lanes that are fed at once, at least 1; None where any number may be."""
        ...

    @property
    def cache_bytes(self) -> int:
        """Bytes of the cache for an input of a lane, which bound how many lanes are fed at once; 0 where they do not."""
        ...

    @property
    def exactness(self) -> Exactness:
        """Whether its logits are the same bits everywhere and in every plan."""
        ...

    @property
    def plan_tolerance(self) -> float | None:
        """The most nats that its log-probs may differ between two plans.

        0 where they are exact, None where nothing is known, or no eps that a container should have covers it.
        """
        ...

    def reset(self, batch: int) -> None:
        """Empty the cache; the next pass has `batch` lanes and starts at position 0."""
        ...

    def keep_lanes(self, batch: int) -> None:
        """Keep the first `batch` lanes of the cache and drop the others."""
        ...

    def feed(self, ids: Ids) -> Logits:
        """Feed `[batch, n]` ids after what the cache holds; the logits after each, `[batch, n, V]`. Raises `ModelError`."""
        ...


class TextTokenizer(Protocol):
    """Text to ids and back."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text; no special tokens are added, special-token text is recognised."""
        ...

    def decode(self, ids: list[int]) -> str:
        """The text of ids; special tokens are kept."""
        ...


@dataclass(frozen=True)
class LanguageModel:
    """A source of logits with its tokenizer and what identifies the two. Hashes are lower-case hexadecimal."""

    source: LogitsSource
    tokenizer: TextTokenizer
    model_sha256: str
    tokenizer_sha256: str
    # What computes the logits, as a container names it.
    fingerprint: str
