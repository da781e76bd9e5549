"""Blocks of 4 or 8 bits as MatMulNBits and GatherBlockQuantized read them. Owns the choice of scales and the packing.

A block of weights along the input dimension is `(q - z) * scale`. q is stored without a sign, in `bits` bits; two of 4 bits go to a byte,
the even index in the low half. z is the middle, 8 or 128, when the block is symmetric, and stored in the same way when it is not. Scales
are rounded to float16 whatever the activations are, so that all flavours of one checkpoint hold the same weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from llmzip.quantize.errors import QuantizeError

Scale = Literal["max-abs", "least-squares"]

# Divisors of a block's value of greatest magnitude. The integers find the scale of a block that lies
# on a grid already, whichever of its multiples is the greatest; the others trade clipping for finer steps.
_DIVISORS = {
    4: (-8.0, 8.0, 7.0, -7.0, -7.5, 7.5, -9.0, 9.0, 6.5, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, -6.0, -5.0, -4.0),
    8: (-128.0, 128.0, 127.0, -127.0, -127.5, 127.5, -130.0, 130.0, -134.0, 134.0),
}
# Of an asymmetric block's range: what is cut off at both ends is paid for by finer steps.
_SHARES = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.78, 0.74, 0.7)
_SMALLEST = np.float32(2.0**-20)
_LARGEST = np.float32(65504.0)
_AT_ONCE = 1 << 20
"""How many weights are worked on at once: what is held in float64 stays small whatever the matrix is."""

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Blocks:
    """A quantised matrix [rows, columns].

    `packed` is uint8 [rows, blocks, block * bits / 8], `scales` [rows, blocks] holds numbers of float16, `zero_points` uint8
    [rows, bytes for `blocks` values], or None when every block is symmetric.
    """

    packed: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.floating[Any]]
    zero_points: npt.NDArray[np.uint8] | None = None
    bits: int = 4

    def dequantized(self) -> Float:
        """Return the weights that a graph sees, [rows, columns]."""
        q = unpack(self.packed, self.bits).astype(np.float32)
        middle: Float | np.float32 = np.float32(1 << (self.bits - 1))
        if self.zero_points is not None:
            middle = unpack(self.zero_points, self.bits)[:, : self.scales.shape[1], None].astype(np.float32)
        wide: Float = ((q - middle) * self.scales.astype(np.float32)[..., None]).reshape(len(q), -1)
        return wide


def quantize(
    weight: Float, block: int, bits: int = 4, scale: Scale = "least-squares", *, symmetric: bool = True
) -> Blocks:
    """Quantise [rows, columns] in blocks of `block` along the columns.

    "max-abs" takes the scale that holds the value of greatest magnitude; "least-squares" the one of least squared error among those tried,
    that one included. Raises QuantizeError if columns is no multiple of `block` or a weight is not finite.
    """
    rows, columns = weight.shape
    if columns % block:
        raise QuantizeError(
            f"a linear layer has {columns} inputs, no multiple of the block size {block}",
            "choose a block size that divides them",
        )
    if not np.isfinite(weight).all():
        raise QuantizeError("a weight is not finite", "get the checkpoint again")
    find = _symmetric if symmetric else _asymmetric
    parts = [find(part.reshape(-1, block), bits, scale) for part in _in_parts(weight)]
    q, scales, zeros = (np.concatenate(each) for each in zip(*parts, strict=True))
    packed = pack(q.reshape(rows, columns // block, block), bits)
    points = None if symmetric else pack(zeros.reshape(rows, -1), bits)
    return Blocks(packed, np.ascontiguousarray(scales.reshape(rows, -1)), points, bits)


def pack(values: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    """Put values of 4 bits two to a byte along the last axis, a last one alone; values of 8 bits stay."""
    if bits == 8:
        return np.ascontiguousarray(values)
    low, high = values[..., 0::2], values[..., 1::2]
    packed = low.copy()
    packed[..., : high.shape[-1]] |= high << 4
    return packed


def unpack(packed: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint8]:
    """The opposite of `pack`; an odd number of 4-bit values has one more behind it."""
    if bits == 8:
        return packed
    return np.stack((packed & 15, packed >> 4), axis=-1).reshape(*packed.shape[:-1], -1)


def _in_parts(weight: Float) -> Iterator[Float]:
    rows = max(1, _AT_ONCE // weight.shape[1])
    for first in range(0, len(weight), rows):
        yield weight[first : first + rows]


_Found = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16], npt.NDArray[np.uint8]]


def _symmetric(blocks: Float, bits: int, scale: Scale) -> _Found:
    middle = 1 << (bits - 1)
    peak = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    divisors = _DIVISORS[bits] if scale == "least-squares" else (-float(middle),)
    best = np.zeros(blocks.shape, np.uint8)
    scales = np.ones(peak.shape, np.float16)
    least = np.full(peak.shape, np.inf, np.float64)
    for divisor in divisors:
        trial = _storable(peak / np.float32(divisor))
        wide = trial.astype(np.float32)
        q = np.clip(np.rint(blocks / wide), -middle, middle - 1)
        error = np.square((q * wide - blocks).astype(np.float64)).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, (q + middle).astype(np.uint8), best)
        scales = np.where(better, trial, scales)
        least = np.where(better, error, least)
    return best, scales, np.full(peak.shape, middle, np.uint8)


def _asymmetric(blocks: Float, bits: int, scale: Scale) -> _Found:
    top = (1 << bits) - 1
    # Zero is always among the values that a block can hold: a pruned weight stays pruned.
    low = np.minimum(blocks.min(axis=1, keepdims=True), np.float32(0))
    high = np.maximum(blocks.max(axis=1, keepdims=True), np.float32(0))
    best = np.zeros(blocks.shape, np.uint8)
    scales, zeros = np.ones(low.shape, np.float16), np.zeros(low.shape, np.uint8)
    least = np.full(low.shape, np.inf, np.float64)
    for share in _SHARES if scale == "least-squares" else (1.0,):
        trial = _storable((high - low) * np.float32(share / top))
        wide = trial.astype(np.float32)
        zero = np.clip(np.rint(-low * np.float32(share) / wide), 0, top)
        q = np.clip(np.rint(blocks / wide) + zero, 0, top)
        error = np.square(((q - zero) * wide - blocks).astype(np.float64)).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, q.astype(np.uint8), best)
        scales = np.where(better, trial, scales)
        zeros = np.where(better, zero.astype(np.uint8), zeros)
        least = np.where(better, error, least)
    return best, scales, zeros


def _storable(scales: Float) -> npt.NDArray[np.float16]:
    """The scales as float16, none so small that a division by it overflows, none infinite."""
    stored = np.clip(scales, -_LARGEST, _LARGEST).astype(np.float16)
    return np.where(np.abs(stored.astype(np.float32)) < _SMALLEST, np.float16(_SMALLEST), stored)
