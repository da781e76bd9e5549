"""Symmetric 4-bit blocks as MatMulNBits reads them. Owns the choice of scales and the packing.

A block of weights along the input dimension is `q * scale` with q an integer in [-8, 7], stored as
q + 8, two to a byte, the even index in the low half. Scales are rounded to float16 in every flavour,
so that all flavours of one checkpoint hold the same weights.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import QuantizeError

# Divisors of a block's value of greatest magnitude. The integers find the scale of a block that lies
# on a grid already, whichever of its multiples is the greatest; the others trade clipping for finer steps.
_DIVISORS = (-8.0, 8.0, 7.0, -7.0, -7.5, 7.5, -9.0, 9.0, 6.5, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, -6.0, -5.0, -4.0)
_SMALLEST = np.float32(2.0**-20)


@dataclass(frozen=True)
class Blocks:
    """A quantised matrix [rows, columns]: `packed` uint8 [rows, blocks, block / 2], `scales` float16 [rows, blocks]."""

    packed: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float16]

    def dequantized(self) -> npt.NDArray[np.float32]:
        """Return the weights that a graph sees, [rows, columns]."""
        low, high = self.packed & 15, self.packed >> 4
        q = np.stack((low, high), axis=-1).reshape(*self.packed.shape[:2], -1).astype(np.float32) - 8
        return (q * self.scales.astype(np.float32)[..., None]).reshape(self.packed.shape[0], -1)


def quantize(weight: npt.NDArray[np.float32], block: int) -> Blocks:
    """Quantise [rows, columns]; per block the scale of least squared error among those tried.

    Raises QuantizeError if columns is no multiple of `block` or a weight is not finite.
    """
    rows, columns = weight.shape
    if columns % block:
        raise QuantizeError(
            f"a linear layer has {columns} inputs, no multiple of the block size {block}",
            "choose a block size that divides them",
        )
    if not np.isfinite(weight).all():
        raise QuantizeError("a weight is not finite", "get the checkpoint again")
    blocks = weight.reshape(-1, block)
    peak = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)
    best = np.zeros(blocks.shape, np.int8)
    scales = np.ones(peak.shape, np.float16)
    least = np.full(peak.shape, np.inf, np.float64)
    for divisor in _DIVISORS:
        trial = (peak / np.float32(divisor)).astype(np.float16)
        trial = np.where(np.abs(trial.astype(np.float32)) < _SMALLEST, np.float16(_SMALLEST), trial)
        wide = trial.astype(np.float32)
        q = np.clip(np.rint(blocks / wide), -8, 7)
        error = np.square((q * wide - blocks).astype(np.float64)).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, q.astype(np.int8), best)
        scales = np.where(better, trial, scales)
        least = np.where(better, error, least)
    nibbles = (best + 8).astype(np.uint8).reshape(rows, columns // block, block)
    packed = nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)
    return Blocks(np.ascontiguousarray(packed), np.ascontiguousarray(scales.reshape(rows, -1)))
