"""The 4-bit grid in PyTorch: where the weights of the finished model lie. Owns the snapping rule.

A block of 32 weights along the input dimension becomes `q * scale`, q an integer in [-8, 7]. The scale
keeps eight significant bits, so that `q * scale` is exact in float16: the checkpoint then holds the very
weights of the quantised graphs, and quantising it again gives the same integers.
"""

import torch
from torch import Tensor

BLOCK = 32
_DIVISORS = (-8.0, 8.0, -7.5, 7.5, 7.0, -9.0, 6.5)


def snap(weight: Tensor) -> Tensor:
    """Nearest grid weight, [out, in] float32; of several scales per block the one of least squared error."""
    blocks = weight.reshape(-1, BLOCK)
    at = blocks.abs().argmax(dim=1, keepdim=True)
    peak = blocks.gather(1, at)
    peak = torch.where(peak.abs() < 1e-6, torch.full_like(peak, 1e-6), peak)
    best = torch.zeros_like(blocks)
    least = torch.full_like(peak, torch.inf)
    for divisor in _DIVISORS:
        scale = (peak / divisor).to(torch.bfloat16).to(torch.float32)
        candidate = (blocks / scale).round().clamp(-8, 7) * scale
        error = (candidate - blocks).square().sum(dim=1, keepdim=True)
        better = error < least
        best = torch.where(better, candidate, best)
        least = torch.where(better, error, least)
    return best.reshape(weight.shape)
