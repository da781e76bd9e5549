"""A graph run by ONNX Runtime, caches in hand. Owns the feeding of a graph in the making; knows no other runner and no reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from llmzip.model.graph import tensor_info
from llmzip.model.session import LOG_ERRORS_ONLY
from llmzip.model.signature import IDS, LOGITS, MASK, POSITIONS, read_signature

from .errors import QuantizeError

Ids = npt.NDArray[np.int64]
Logits = npt.NDArray[np.floating[Any]]
Caches = dict[str, npt.NDArray[Any]]
_NONE_SAID = 4


class Driver:
    """The graph in a file, its weights beside it, or as bytes.

    Raises QuantizeError when it cannot be run, ModelError when it is no decoder.
    """

    def __init__(self, file: Path | bytes, config: dict[str, Any]) -> None:
        options = onnxruntime.SessionOptions()
        # A failure is told by the exception; the log would say it once more.
        options.log_severity_level = max(LOG_ERRORS_ONLY, _NONE_SAID)
        try:
            model = file if isinstance(file, bytes) else str(file)
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            name = "the graph" if isinstance(file, bytes) else file.name
            raise QuantizeError(f"ONNX Runtime does not take {name}: {error}", "try another --exporter") from error
        outputs = [tensor_info(each) for each in self._session.get_outputs()]
        self.signature = read_signature([tensor_info(each) for each in self._session.get_inputs()], outputs, config)
        self._fetches = [LOGITS, *(cache.present for cache in self.signature.caches)]

    def empty(self, batch: int) -> Caches:
        """The caches before the first token."""
        return {each.name: np.zeros((batch, *each.shape[1:]), each.type) for each in self.signature.caches}

    def feed(self, ids: Ids, caches: Caches, past: int) -> tuple[Logits, Caches]:
        """Logits after each of the ids [batch, n], that follow `past` others, and the caches then. Raises QuantizeError."""
        if not self.signature.one_by_one:
            return self._run(ids, caches, past)
        parts = []
        for at in range(ids.shape[1]):
            logits, caches = self._run(ids[:, at : at + 1], caches, past + at)
            parts.append(logits)
        return np.concatenate(parts, axis=1), caches

    def _run(self, ids: Ids, caches: Caches, past: int) -> tuple[Logits, Caches]:
        signature, (batch, length) = self.signature, ids.shape
        feeds: dict[str, npt.NDArray[Any]] = {IDS: np.ascontiguousarray(ids, signature.ids_type), **caches}
        if signature.mask_type:
            feeds[MASK] = np.ones((batch, past + length), signature.mask_type)
        if signature.positions_type:
            positions = np.arange(past, past + length, dtype=signature.positions_type)
            feeds[POSITIONS] = np.ascontiguousarray(np.broadcast_to(positions, ids.shape))
        try:
            logits, *present = self._session.run(self._fetches, feeds)
        except Exception as error:
            raise QuantizeError(
                f"the graph fails on {length} ids in {batch} lanes after {past}: {error}", "try another --exporter"
            ) from error
        return logits, dict(zip(caches, present, strict=True))
