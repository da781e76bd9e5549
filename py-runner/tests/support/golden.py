"""The inputs of golden/codec/vectors.json, as golden/codec/README.md describes them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from llmzip.model.exactness import Exactness
from llmzip.model.source import Ids, Logits
from support.paths import GOLDEN

SYNTHETIC_VOCAB = 257
MULTIPLIER, INCREMENT = 1664525, 1013904223


def vectors(kind: str) -> list[Any]:
    """One list of the file; never an empty one."""
    content = json.loads((GOLDEN / "codec" / "vectors.json").read_text(encoding="utf-8"))
    found: list[Any] = content[kind]
    assert found
    return found


def f64(bits: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(bits))[0]
    return value


class Lcg:
    def __init__(self, seed: int) -> None:
        self.state = seed

    def draw(self) -> int:
        self.state = (self.state * MULTIPLIER + INCREMENT) % (1 << 32)
        return self.state >> 16

    def draw_row(self, vocab_size: int, spread: float) -> npt.NDArray[np.float32]:
        return np.array([(self.draw() - 32768) * spread / 32768 for _ in range(vocab_size)], np.float32)

    def draw_token(self, row: npt.NDArray[np.float32]) -> int:
        return int(row.argmax()) if self.draw() % 4 else self.draw() % len(row)


class SyntheticModel:
    """The synthetic model, V = 257. State j + 1 of an LCG is an affine function of its seed, so a row is one operation."""

    vocab_size = SYNTHETIC_VOCAB
    logits_type = "float32"
    # Integers and a few exact sums: the same bits everywhere.
    exactness = Exactness(True, "it is synthetic")
    plan_tolerance = 0.0

    def __init__(self, max_batch: int | None = None) -> None:
        self.max_batch = max_batch
        self.cache_bytes = 0
        self._hashes = np.zeros(1, np.uint64)
        factors, terms = [1], [0]
        for _ in range(SYNTHETIC_VOCAB):
            factors.append(factors[-1] * MULTIPLIER % (1 << 32))
            terms.append((terms[-1] * MULTIPLIER + INCREMENT) % (1 << 32))
        self._factors, self._terms = np.array(factors[1:], np.uint64), np.array(terms[1:], np.uint64)
        self._base = np.zeros(SYNTHETIC_VOCAB)
        self._base[33:127] = 2
        self._base[[10, *range(48, 58)]] = 4
        self._base[[32, *range(97, 123)]] = 5

    def reset(self, batch: int) -> None:
        self._hashes = np.zeros(batch, np.uint64)

    def keep_lanes(self, batch: int) -> None:
        self._hashes = self._hashes[:batch]

    def feed(self, ids: Ids) -> Logits:
        return np.stack([self._step(column) for column in ids.T], axis=1)

    def _step(self, ids: Ids) -> npt.NDArray[np.float32]:
        mask = np.uint64(0xFFFFFFFF)
        self._hashes = ((self._hashes ^ ids.astype(np.uint64)) * np.uint64(16777619) + np.uint64(1)) & mask
        states = (self._hashes[:, np.newaxis] * self._factors + self._terms) & mask
        draws = (states >> np.uint64(16)).astype(np.float64)
        rows = self._base + (draws - 32768) / 32768
        rows[np.arange(len(ids)), (ids + 1) % 256] += 3
        return rows.astype(np.float32)


class ToyTokenizer:
    """Bytes as tokens, except that 7 is lost."""

    def encode(self, text: str) -> list[int]:
        return [byte for byte in text.encode() if byte != 7]

    def decode(self, ids: list[int]) -> str:
        return bytes(token for token in ids if token < 256).decode("utf-8", errors="replace")
