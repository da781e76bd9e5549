"""Weights of exact graphs: int8 in [-63, 63], one scale a column. Owns the choice of scales.

63 and not 127: processors without VNNI add pairs of uint8 x int8 products in 16 bits, where 255 * 63 * 2 still fits.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmzip.quantize.errors import QuantizeError

LARGEST = 63
_CLIPS = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82)
"""Fractions of a column's largest magnitude that become LARGEST; the one of least squared error is taken."""


@dataclass(frozen=True)
class Int8Columns:
    """A matrix [in, out]: `values` int8 and `scales` float32 [out]."""

    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]

    @property
    def largest_column_sum(self) -> int:
        """The largest sum of magnitudes of a column: with a bound of the inputs, the bound of a product."""
        return int(np.abs(self.values.astype(np.int64)).sum(axis=0).max())

    def times(self, factors: float | npt.NDArray[np.float64]) -> "Int8Columns":
        """The same integers with scales multiplied by a constant, or by one for each column [out]."""
        return Int8Columns(self.values, (self.scales * factors).astype(np.float32))

    def dequantized(self) -> npt.NDArray[np.float32]:
        """The weights that the graph sees, [in, out]."""
        return self.values.astype(np.float32) * self.scales


def quantize_columns(weight: npt.NDArray[np.float32]) -> Int8Columns:
    """Quantise [out, in], as checkpoints have it, to int8 [in, out]. Raises QuantizeError if a weight is not finite."""
    require_finite(weight)
    peak = np.abs(weight).max(axis=1, keepdims=True).astype(np.float64)
    peak[peak == 0] = LARGEST
    best = np.zeros(weight.shape, np.int8)
    scales = np.zeros(peak.shape, np.float32)
    least = np.full(peak.shape, np.inf)
    for clip in _CLIPS:
        scale = (peak * (clip / LARGEST)).astype(np.float32)
        q = np.clip(np.rint(weight / scale), -LARGEST, LARGEST)
        error = np.square((q * scale - weight).astype(np.float64)).sum(axis=1, keepdims=True)
        better = error < least
        best = np.where(better, q.astype(np.int8), best)
        scales = np.where(better, scale, scales)
        least = np.where(better, error, least)
    return Int8Columns(np.ascontiguousarray(best.T), np.ascontiguousarray(scales[:, 0]))


def require_finite(weight: npt.NDArray[np.float32]) -> None:
    """Raise QuantizeError if a weight is not finite."""
    if not np.isfinite(weight).all():
        raise QuantizeError("a weight is not finite", "get the checkpoint again")
