"""A source of logits without a model: the logits follow from the ids by integers alone."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from llmzip.compressor import CompressOptions
from llmzip.container.eps import Eps
from llmzip.model.context import ContextPolicy
from llmzip.model.exactness import Exactness
from llmzip.model.source import Ids, LanguageModel

WORDS = ["th", "he", "in", "er", " the", "0" * 7, "é", "<|end|>"]


class SyntheticSource:
    """Logits from a linear congruential generator over the ids since the last reset, peaked at what followed the last id before,
    or at its successor where it is new.

    With `noise` every log-prob moves by that much at most, and in one direction for all of a half of the tree, or for all but the
    leader, so that some log-odds move as far as they may; such a source is never exact.
    """

    def __init__(
        self,
        vocab_size: int,
        noise: float = 0.0,
        max_batch: int | None = None,
        logits_type: str = "float32",
        exact: bool = True,
        plan_tolerance: float | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.vocab_size = vocab_size
        self.noise = noise
        self.max_batch = max_batch
        self.cache_bytes = cache_bytes
        self.logits_type = logits_type
        self.exactness = Exactness(exact and noise == 0, "it was made so")
        self.plan_tolerance = 0.0 if self.exactness.exact else plan_tolerance
        self.passes: list[tuple[int, list[list[int]]]] = []
        self._rows = 0
        self.reset(1)

    def reset(self, batch: int) -> None:
        assert batch <= (self.max_batch or batch)
        self._state = np.full(batch, 12345, np.int64)
        self._last = np.zeros(batch, np.int64)
        self._next = np.tile((np.arange(self.vocab_size) + 1) % self.vocab_size, (batch, 1))
        self._length = 0

    def keep_lanes(self, batch: int) -> None:
        self._state, self._last, self._next = self._state[:batch], self._last[:batch], self._next[:batch]

    def feed(self, ids: Ids) -> npt.NDArray[np.floating[Any]]:
        self.passes.append((self._length, ids.tolist()))
        self._length += ids.shape[1]
        return np.stack([self._step(column) for column in ids.T], axis=1)

    def _step(self, ids: Ids) -> npt.NDArray[np.floating[Any]]:
        self._state = (self._state * 1103515245 + ids + 12345) % (1 << 31)
        token = np.arange(self.vocab_size, dtype=np.int64)
        mixed = ((self._state[:, np.newaxis] + token) * 2654435761 >> 9) % 1024
        logits = mixed / 256.0
        lanes = np.arange(len(ids))
        self._next[lanes, self._last] = ids
        self._last = ids
        logits[lanes, self._next[lanes, ids]] += 8
        self._rows += 1
        if not self.noise:
            return logits.astype(self.logits_type)
        turn = self._rows % 10
        return np.stack(
            [moved(row, (token >> turn) & 1 == 1 if turn < 9 else token != row.argmax(), self.noise) for row in logits]
        )


def moved(row: npt.NDArray[np.float64], group: npt.NDArray[np.bool_], noise: float) -> npt.NDArray[np.float64]:
    """Log-probs of a row with a group moved by `noise` and the rest moved so that the sum stays 1, or the other way round."""
    log_probs = row - row.max()
    log_probs -= np.log(np.exp(log_probs).sum())
    for chosen, step in ((group, noise), (~group, -noise)):
        rest = -np.expm1(np.log(max(np.exp(log_probs[chosen]).sum(), 1e-300)) + step)
        now = np.exp(log_probs[~chosen]).sum()
        if rest > 0 and now > 0 and abs(np.log(rest / now)) <= abs(step):
            return np.where(chosen, log_probs + step, log_probs + np.log(rest / now))
    # One of the two is empty: there is nothing to move against.
    return log_probs


class SyntheticTokenizer:
    """Printable ASCII, line ends and a few longer tokens; other characters are lost in it."""

    def __init__(self) -> None:
        self._texts = [*"\n\t\r", *map(chr, range(32, 127)), *WORDS]
        self._ids = {text: i for i, text in enumerate(self._texts)}
        self.size = len(self._texts)

    def encode(self, text: str) -> list[int]:
        ids, at = [], 0
        while at < len(text):
            longest = next(
                (word for word in sorted(WORDS, key=len, reverse=True) if text.startswith(word, at)), text[at]
            )
            ids.append(self._ids.get(longest, self._ids["?"]))
            at += len(longest)
        return ids

    def decode(self, ids: list[int]) -> str:
        return "".join(self._texts[i] for i in ids)


def synthetic_model(
    noise: float = 0.0,
    max_batch: int | None = None,
    vocab_size: int | None = None,
    exact: bool = True,
    plan_tolerance: float | None = None,
) -> LanguageModel:
    """A language model without a graph."""
    tokenizer = SyntheticTokenizer()
    size = vocab_size or tokenizer.size
    return LanguageModel(
        SyntheticSource(size, noise, max_batch, exact=exact, plan_tolerance=plan_tolerance),
        tokenizer,
        hashlib.sha256(b"model").hexdigest(),
        hashlib.sha256(b"tokenizer").hexdigest(),
        "synthetic-1/x64",
    )


def settings(
    eps: str = "5e-5", lanes: int = 1, frame_bytes: int = 1 << 20, window: int = 64, overlap: int = 16
) -> CompressOptions:
    """A writer's choices."""
    return CompressOptions(Eps.parse(eps), ContextPolicy(3, window, overlap), lanes, frame_bytes)
