"""Whether a graph's axes are dynamic: shown by running it, with batches of 1 and 3, lengths 1, 2 and 17, with and without a past.

Owns the cases and what must come of them; declared names of dimensions prove nothing and are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from llmzip.quantize.drive import Driver, Ids, Logits
from llmzip.quantize.errors import QuantizeError

Case = tuple[int, int, int]
BATCHES, LENGTHS = (1, 3), (1, 2, 17)
_SEED = 20
# Largest difference of a log-prob between passes that should give the same. Sums are added in another order, as by another batch:
# measured up to 3e-6 with float32 and 6e-3 with float16. A wrong mask or position gives whole units.
TOLERANCES = {"float32": 1e-3, "float16": 1e-1}


@dataclass(frozen=True)
class Axes:
    """What was run: (batch, length, past) of each case, and the largest difference of a log-prob between lanes together and alone.

    `left_out` are the cases that an operator of the graph does not take in ONNX Runtime.
    """

    cases: tuple[Case, ...]
    left_out: tuple[Case, ...]
    largest_difference: float


def check_axes(file: Path, config: dict[str, Any]) -> Axes:
    """Run the graph in `file` at all sizes. Raises QuantizeError for an axis that is not dynamic, or that changes what is computed."""
    driver = Driver(file, config)
    one_by_one = _feeds_lanes_one_by_one(file)
    vocabulary, longest = driver.signature.vocab_size, max(LENGTHS)
    ids = np.random.default_rng(_SEED).integers(0, vocabulary, (max(BATCHES), 2 * longest))
    alone = np.concatenate([driver.feed(ids[[lane]], driver.empty(1), 0)[0] for lane in range(len(ids))])
    wanted = [(batch, length, past) for batch in BATCHES for length in LENGTHS for past in (0, *LENGTHS)]
    cases = [
        case
        for case in wanted
        if not (one_by_one and all(size > least for size, least in zip(case, (1, 1, 0), strict=True)))
    ]
    largest = 0.0
    for batch, length, past in cases:
        largest = max(largest, _difference(driver, ids[:batch, : past + length], past, alone))
    # Logits may be float32 where all before them is float16.
    types = {driver.signature.logits_type, *(slot.type for slot in driver.signature.caches)}
    tolerance = max(TOLERANCES.get(each, 0.0) for each in types)
    if not largest <= tolerance:
        raise QuantizeError(
            f"the log-probs of a token depend on what it is fed together with: they differ by {largest:.2g}, more than {tolerance:g}",
            "try another --exporter",
        )
    return Axes(tuple(cases), tuple(case for case in wanted if case not in cases), largest)


def _feeds_lanes_one_by_one(file: Path) -> bool:
    """Whether several lanes that have a past take one token at a time: so it is in ONNX Runtime's GroupQueryAttention on the CPU."""
    graph = onnx.load_model(str(file), load_external_data=False).graph
    return any(node.op_type == "GroupQueryAttention" for node in graph.node)


def _difference(driver: Driver, ids: Ids, past: int, alone: Logits) -> float:
    batch, total = ids.shape
    caches = driver.empty(batch)
    if past:
        _, caches = driver.feed(ids[:, :past], caches, 0)
    logits, caches = driver.feed(ids[:, past:], caches, past)
    what = f"a batch of {batch}, {total - past} ids after {past}"
    _hold(logits.shape, (batch, total - past, driver.signature.vocab_size), f"{what}: logits")
    for slot in driver.signature.caches:
        # The past is the axis that is empty at the start, beside the batch.
        grows = next(axis for axis, size in enumerate(slot.shape) if axis and size == 0)
        shape = tuple(batch if axis == 0 else total if axis == grows else size for axis, size in enumerate(slot.shape))
        _hold(caches[slot.name].shape, shape, f"{what}: {slot.present}")
    return float(np.abs(log_softmax(logits) - log_softmax(alone[:batch, past:total])).max())


def _hold(found: tuple[int, ...], wanted: tuple[int, ...], what: str) -> None:
    if found != wanted:
        raise QuantizeError(f"{what} has the shape {list(found)}, not {list(wanted)}", "try another --exporter")


def log_softmax(logits: Logits) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Natural log-probs, in float64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return wide
