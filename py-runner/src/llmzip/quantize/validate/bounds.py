"""How far a graph may be from the baseline. Owns the bounds and their reasons."""

from __future__ import annotations

from dataclasses import dataclass

from llmzip.quantize.errors import QuantizeError

from .measures import Measured

FLOAT_DIFFERENCE = 2e-4
"""Largest difference of any log-prob between a float32 export and the baseline, in nats.

Both add the same numbers in another order: at most 3e-6 measured on random models of ten families. A wrong position, mask or window gives
whole units, a cap of scores that is left out 3e-4 on the smallest of models.
"""
MEAN_KL = 0.25
"""Mean KL divergence of a quantised graph from the baseline, in bits, unless the command says another."""


class BoundError(QuantizeError):
    """A graph is further from the baseline than the bound allows."""


@dataclass(frozen=True)
class Bounds:
    """What a graph is held to: `mean_kl` in bits for quantised ones, `float_difference` in nats for float exports."""

    mean_kl: float = MEAN_KL
    float_difference: float = FLOAT_DIFFERENCE

    def hold_float(self, measured: Measured) -> None:
        """Raise BoundError when a float export does not compute what transformers computes."""
        largest = float(measured.difference.max())
        if not largest <= self.float_difference:
            raise BoundError(
                f"the float export is not the checkpoint: a log-prob differs by {largest:.2g} nats from transformers' own, "
                f"more than {self.float_difference:g}",
                "try another --exporter",
            )

    def hold_quantized(self, name: str, measured: Measured) -> None:
        """Raise BoundError when quantising has changed too much."""
        mean = float(measured.kl.mean())
        if not mean <= self.mean_kl:
            raise BoundError(
                f"{name} is {mean:.3g} bits of mean KL from the checkpoint, more than {self.mean_kl:g}",
                "use smaller groups or more bits, or allow more with --max-kl",
            )
