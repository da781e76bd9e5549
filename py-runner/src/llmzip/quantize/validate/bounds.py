"""How far a graph may be from the baseline. Owns the bounds and their reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmzip.quantize.errors import QuantizeError

from .measures import Measured

FLOAT_DIFFERENCE = 2e-4
"""Largest difference of any log-prob between a float32 export and the baseline, in nats.

Both add the same numbers in another order: at most 3e-6 measured on random models of ten families. A wrong position, mask or window gives
whole units, a cap of scores that is left out 3e-4 on the smallest of models.
"""
NOISE = 0.75
"""Largest error of a quantised graph in parts of the spread of the baseline's log-probs (`Measured.noise`): the part that holds for flat
models, which hardly prefer any token. In bits a graph that has lost all they know would still be near them.
"""
MOST_KL = 0.5
"""Largest mean KL divergence from the baseline, in bits, however sharp that is: so much longer a token's code becomes on average."""
LEAST_KL = 0.01
"""A mean KL, in bits, that is always allowed: what rounding leaves where log-probs do not differ at all."""


class BoundError(QuantizeError):
    """A graph is further from the baseline than the bound allows."""


@dataclass(frozen=True)
class Bounds:
    """What a graph is held to: quantised ones to `mean_kl` in bits, or without it to NOISE and MOST_KL; float exports to `float_difference`
    in nats.
    """

    mean_kl: float | None = None
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

    def largest_kl(self, measured: Measured) -> float:
        """The largest mean KL that is allowed, in bits."""
        if self.mean_kl is not None:
            return self.mean_kl
        return max(LEAST_KL, min(MOST_KL, NOISE * float(measured.spread.mean()) / (2 * math.log(2))))

    def hold_quantized(self, name: str, measured: Measured) -> None:
        """Raise BoundError when quantising has changed too much."""
        mean, largest = float(measured.kl.mean()), self.largest_kl(measured)
        if not mean <= largest:
            raise BoundError(
                f"{name} is {mean:.3g} bits of mean KL from the checkpoint, more than {largest:.3g}",
                "use smaller groups or more bits, or allow more with --max-kl",
            )
