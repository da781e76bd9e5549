"""The basis that the residual of an exact graph is in. Owns the rotation, and the weights that read and write rotated rows.

A few channels of a trained residual are far greater than the rest, and a row that is quantised by its largest number loses the others. A
Hadamard matrix spreads each channel over all of them (QuaRot, arXiv 2404.00456), so that 8 bits are enough. The weights take the rotation
in; only a head that is the embedding needs it in the graph.
"""

import hashlib
import math

import numpy as np
import numpy.typing as npt

from llmzip.quantize.checkpoint import Array, Weights
from llmzip.quantize.config import DecoderConfig
from llmzip.quantize.errors import QuantizeError

from .weights import require_finite

_INTEGER_BITS = 30
"""Of a weight: its products with 1 and -1 then add up without rounding, in float64 and in any order."""
_ROWS_AT_ONCE = 4096
_SIGNS = b"llmzip.exact.residual"


class ResidualBasis:
    """A row of the residual times an orthogonal matrix: `matrix` / sqrt(`order`).

    `matrix` is int8 [hidden, hidden] of 1, -1 and, outside of the blocks of `order` on its diagonal, 0.
    """

    def __init__(self, size: int) -> None:
        block = hadamard(size)
        self.order = len(block)
        signs = np.unpackbits(np.frombuffer(hashlib.shake_256(_SIGNS).digest(size), np.uint8))[:size]
        # Signs of no pattern: else a row of equal numbers would become one great number.
        self.matrix: npt.NDArray[np.int8] = np.kron(np.eye(size // self.order, dtype=np.int8), block)
        self.matrix *= 1 - 2 * signs.astype(np.int8)[:, None]

    def rotated(self, rows: Array) -> Array:
        """Rows [rows, hidden] in this basis: every rounding is of a single number, so that the bits are the same on every machine.

        Raises QuantizeError if a number is not finite, or would not be.
        """
        require_finite(rows)
        matrix = self.matrix.astype(np.float64)
        result = np.empty(rows.shape, np.float32)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = slice(start, start + _ROWS_AT_ONCE)
            # Of the largest number of each row, so that a row of small ones loses nothing beside great ones.
            _, largest = np.frexp(np.abs(rows[part]).max(axis=1, keepdims=True, initial=0))
            integers = np.rint(np.ldexp(rows[part].astype(np.float64), _INTEGER_BITS - largest))
            with np.errstate(over="ignore"):
                result[part] = np.ldexp(integers @ matrix / math.sqrt(self.order), largest - _INTEGER_BITS)
        if not np.isfinite(result).all():
            raise QuantizeError("weights are too large to be rotated", "use a checkpoint with smaller weights")
        return result


class RotatedWeights:
    """The weights of `source` for a residual in `basis`; those that read it have the norms before them in them, but for a head that is the
    embedding.
    """

    def __init__(self, source: Weights, basis: ResidualBasis) -> None:
        self._source, self._basis = source, basis

    @property
    def config(self) -> DecoderConfig:
        """The model's sizes."""
        return self._source.config

    def embedding(self) -> Array:
        """The embedding, [vocab, hidden]."""
        return self._basis.rotated(self._source.embedding())

    def head(self) -> Array | None:
        """The head, [vocab, hidden], with the last norm in it; None when it is the embedding."""
        head = self._source.head()
        return None if head is None else self._basis.rotated(head * self._source.norm("norm"))

    def reading(self, layer: int, norm: str, *names: str) -> Array:
        """The linear layers that read the residual through the norm `norm`, one below the other, [out, hidden]."""
        weight = np.concatenate([self._source.linear(layer, name) for name in names])
        return self._basis.rotated(weight * self._source.norm(f"layers.{layer}.{norm}"))

    def last_norm(self) -> Array:
        """The weight of the norm before the head, [hidden], in the basis of the source."""
        return self._source.norm("norm")

    def bias(self, layer: int, name: str) -> Array:
        """The bias of a linear layer, [out]."""
        return self._source.bias(layer, name)

    def head_norm(self, layer: int, name: str) -> Array:
        """The weight of the norm of a head, [head_dim]."""
        return self._source.head_norm(layer, name)

    def writing(self, layer: int, name: str) -> Array:
        """A linear layer that is added to the residual, [hidden, in]."""
        return np.ascontiguousarray(self._basis.rotated(self._source.linear(layer, name).T).T)


def hadamard(size: int) -> npt.NDArray[np.int8]:
    """The Hadamard matrix of the largest order that divides `size`, of those made by Paley's first construction and by doubling."""
    starts = [1] + [order for order in range(4, size + 1, 4) if size % order == 0 and _is_prime(order - 1)]
    start = max(starts, key=lambda order: (order * _power_of_two(size // order), -order))
    matrix = np.ones((1, 1), np.int8) if start == 1 else _paley(start - 1)
    for _ in range(_power_of_two(size // start).bit_length() - 1):
        matrix = np.kron(np.array([[1, 1], [1, -1]], np.int8), matrix)
    return matrix


def _paley(prime: int) -> npt.NDArray[np.int8]:
    """The Hadamard matrix of order `prime` + 1, for a prime of the form 4 n + 3."""
    characters = np.full(prime, -1, np.int8)
    characters[np.arange(prime) ** 2 % prime] = 1
    characters[0] = 0
    places = np.arange(prime)
    matrix = np.ones((prime + 1, prime + 1), np.int8)
    matrix[1:, 0] = -1
    matrix[1:, 1:] = characters[(places[:, None] - places) % prime]
    matrix[1:, 1:] += np.eye(prime, dtype=np.int8)
    return matrix


def _power_of_two(number: int) -> int:
    """The largest power of two that divides `number`."""
    return number & -number


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1))
