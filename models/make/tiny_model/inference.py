"""Log-probs of a token sequence under the container's context policy. Owns windows, not coding.

The first window begins with the start token. Each later one begins at position 0 with the last
OVERLAP tokens that are known already, and no start token.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .shape import OVERLAP, START_ID, WINDOW

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
Logits = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Token ids [batch, sequence] to logits [batch, sequence, vocab]."""


@dataclass(frozen=True)
class Window:
    """One pass: `inputs` go in; the rows from `first` on predict `targets`."""

    inputs: list[int]
    first: int
    targets: list[int]


def windows(ids: list[int]) -> Iterator[Window]:
    """All passes that are needed to predict every token of `ids` once."""
    targets = ids[:WINDOW]
    yield Window([START_ID, *targets][: len(targets)], 0, targets)
    done = len(targets)
    while done < len(ids):
        targets = ids[done : done + WINDOW - OVERLAP]
        inputs = [*ids[done - OVERLAP : done], *targets[:-1]]
        yield Window(inputs, OVERLAP - 1, targets)
        done += len(targets)


def coded_bits(ids: list[int], logits: Logits) -> npt.NDArray[np.float64]:
    """The cost of each token in bits, [len(ids)]."""
    costs: list[npt.NDArray[np.float64]] = []
    for window in windows(ids):
        if not window.targets:
            break
        rows = logits(np.array([window.inputs], np.int64))[0, window.first :].astype(np.float64)
        peak = rows.max(axis=1, keepdims=True)
        total = np.log(np.exp(rows - peak).sum(axis=1)) + peak[:, 0]
        costs.append((total - rows[np.arange(len(window.targets)), window.targets]) / np.log(2))
    return np.concatenate(costs) if costs else np.zeros(0)


class OnnxModel:
    """An ONNX file in onnxruntime; calling it is one pass without a past."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        caches = [i for i in self._session.get_inputs() if i.name.startswith("past_key_values.")]
        self._caches = [cache.name for cache in caches]
        self._empty = [([0 if isinstance(size, str) else size for size in c.shape[1:]], _TYPES[c.type]) for c in caches]

    def __call__(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Logits of one pass over `ids` without a past."""
        return self.step(ids, None)[0]

    def step(
        self, ids: npt.NDArray[np.int64], past: list[npt.NDArray[Any]] | None
    ) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[Any]]]:
        """Logits [batch, sequence, vocab] and the cache after `ids`; `past` is the cache before."""
        batch, length = ids.shape
        if past is None:
            past = [np.zeros((batch, *shape), kind) for shape, kind in self._empty]
        known = past[0].shape[self._empty[0][0].index(0) + 1]
        positions = np.broadcast_to(np.arange(known, known + length, dtype=np.int64), ids.shape)
        feeds = {
            "input_ids": ids,
            "attention_mask": np.ones((batch, known + length), np.int64),
            "position_ids": np.ascontiguousarray(positions),
            **dict(zip(self._caches, past, strict=True)),
        }
        logits, *present = self._session.run(None, feeds)
        return logits, present
