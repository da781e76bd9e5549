"""How far a graph is from the baseline. Owns the measures; knows no bounds and no files."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from llmzip.quantize.drive import Driver, Logits
from llmzip.quantize.export.axes import log_softmax

from .baseline import Baseline

Floats = npt.NDArray[np.float64]
_ROWS = 32


@dataclass(frozen=True)
class LayerError:
    """Relative error of a layer's keys and values: the root of summed squared differences over that of summed squares."""

    layer: int
    key: float
    value: float


@dataclass(frozen=True)
class Measured:
    """A graph beside the baseline. Bits and KL are in bits, differences of log-probs in nats; arrays have a value per position.

    `spread` is the variance of the baseline's log-probs, in squared nats, each counted by its probability: how much there is to tell.
    """

    baseline_bits: float
    bits: float
    tokens: int
    kl: Floats
    spread: Floats
    difference: Floats
    token_difference: Floats
    same_top: Floats
    layers: tuple[LayerError, ...] = field(default=())

    @property
    def noise(self) -> float:
        """The error in parts of the spread. Where log-probs err by little, KL is half the variance of their errors: so it is that variance
        over the spread. 0 where all is equal, about 2 for a graph that has nothing to do with the baseline but is as sharp.
        """
        error, spread = 2 * math.log(2) * float(self.kl.mean()), float(self.spread.mean())
        return error / spread if spread > 0 else math.inf if error > 0 else 0.0

    def summary(self, text_bytes: int) -> dict[str, Any]:
        """The figures of the report; `text_bytes` is the length of the text that the tokens are."""
        worst = int(self.difference.argmax())
        figures: dict[str, Any] = {
            "bits_per_token": {"baseline": self.baseline_bits / self.tokens, "graph": self.bits / self.tokens},
            "bits_per_byte": {"baseline": self.baseline_bits / text_bytes, "graph": self.bits / text_bytes},
            "kl_bits": {"mean": float(self.kl.mean()), "max": float(self.kl.max())},
            "noise": {"kl_over_spread": self.noise, "spread_nats2": float(self.spread.mean())},
            "same_most_likely_token": float(self.same_top.mean()),
            "largest_log_prob_difference": {
                "of_any_token": float(self.difference[worst]),
                "at_position": worst,
                "of_the_text": float(self.token_difference.max(initial=0.0)),
            },
        }
        if self.layers:
            worst_layer = max(self.layers, key=lambda each: max(each.key, each.value))
            figures["layers"] = {
                "worst": worst_layer.layer,
                "relative_error": [{"key": each.key, "value": each.value} for each in self.layers],
            }
        return figures


def measure(driver: Driver, baseline: Baseline) -> Measured:
    """Run the graph on the baseline's windows. Raises QuantizeError when it fails."""
    columns: dict[str, list[Floats]] = {"kl": [], "spread": [], "difference": [], "token": [], "top": []}
    bits = [0.0, 0.0]
    layers = _Layers(driver)
    for index, ids in enumerate(baseline.windows):
        logits, caches = driver.feed(ids[None], driver.empty(1), 0)
        for at in range(0, len(ids), _ROWS):
            targets = ids[at + 1 : at + _ROWS + 1]
            ours, theirs = logits[0, at : at + _ROWS], baseline.logits(index)[at : at + _ROWS]
            _compare(ours, theirs, targets, columns, bits)
        layers.add(caches, baseline, index)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    tokens = sum(len(ids) - 1 for ids in baseline.windows)
    columns_of = (joined["kl"], joined["spread"], joined["difference"], joined["token"], joined["top"])
    return Measured(bits[1], bits[0], tokens, *columns_of, layers.errors())


def _compare(
    ours: Logits, theirs: Logits, targets: npt.NDArray[np.int64], columns: dict[str, list[Floats]], bits: list[float]
) -> None:
    found, wanted = log_softmax(ours), log_softmax(theirs)
    gap = wanted - found
    probabilities = np.exp(wanted)
    columns["kl"].append((probabilities * gap).sum(axis=-1) / math.log(2))
    mean = (probabilities * wanted).sum(axis=-1, keepdims=True)
    columns["spread"].append((probabilities * np.square(wanted - mean)).sum(axis=-1))
    columns["difference"].append(np.abs(gap).max(axis=-1))
    columns["top"].append((found.argmax(axis=-1) == wanted.argmax(axis=-1)).astype(np.float64))
    rows = np.arange(len(targets))
    columns["token"].append(np.abs(gap[rows, targets]))
    bits[0] -= float(found[rows, targets].sum()) / math.log(2)
    bits[1] -= float(wanted[rows, targets].sum()) / math.log(2)


class _Layers:
    """Sums over windows of squared differences and squares, by layer, of caches that hold floats in transformers' layout."""

    def __init__(self, driver: Driver) -> None:
        slots = driver.signature.caches
        self._slots = {each.name: each for each in slots if each.type.startswith("float") and len(each.shape) == 4}
        self._sums: dict[tuple[int, str], list[float]] = {}

    def add(self, caches: dict[str, npt.NDArray[Any]], baseline: Baseline, window: int) -> None:
        for name in self._slots:
            _, layer, part = name.rsplit(".", 2)
            if part not in ("key", "value"):
                continue
            theirs = baseline.cache(window, int(layer), part).astype(np.float64)
            ours = caches[name][0][:, -theirs.shape[1] :].astype(np.float64)
            if ours.shape != theirs.shape:
                continue
            sums = self._sums.setdefault((int(layer), part), [0.0, 0.0])
            sums[0] += float(np.square(ours - theirs).sum())
            sums[1] += float(np.square(theirs).sum())

    def errors(self) -> tuple[LayerError, ...]:
        def relative(layer: int, part: str) -> float:
            difference, size = self._sums.get((layer, part), (0.0, 1.0))
            return math.sqrt(difference / size) if size else 0.0

        layers = sorted({layer for layer, _ in self._sums})
        return tuple(LayerError(layer, relative(layer, "key"), relative(layer, "value")) for layer in layers)
