"""How far two runtimes' rows may be apart. Owns the reading of the harness's classes of agreement."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import numpy as np

from llmzip.quantize import FLAVOURS
from support.paths import REPOSITORY

if TYPE_CHECKING:
    import numpy.typing as npt

_CLASSES = tomllib.loads((REPOSITORY / "harness" / "src" / "compare" / "classes.toml").read_text(encoding="utf-8"))
# Of log-probs in nats, by the type of activations.
_OTHER_VERSION = next(each for each in _CLASSES["class"] if each["name"] == "other-version")


def tolerance(flavour: str) -> float:
    """The largest difference of a log-prob, in nats, between versions of a runtime."""
    return float(_OTHER_VERSION[FLAVOURS[flavour].agreement]["tolerance"])


def log_probs(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Log-probs of rows of logits, in nats."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    result: npt.NDArray[np.float64] = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return result
