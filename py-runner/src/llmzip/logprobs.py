"""Log-probs of the next token: the library's way to ask a model, and the `logprobs` operation's files.

Owns the API that feeds compression and comparison alike; the codec has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from llmzip.codec.tree import log_probs
from llmzip.errors import UsageError
from llmzip.files import output_file
from llmzip.model.context import ContextPolicy, Feeder, Plan, cut_lanes, rows_of_known_tokens
from llmzip.model.source import Ids, Logits, LogitsSource

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]


class NextToken:
    """Asks for one token after the other: `log_probs()` of the next, `append(token)` once it is known.

    The source is this object's alone as long as it is used.
    """

    def __init__(self, source: LogitsSource, policy: ContextPolicy) -> None:
        policy.check(source.vocab_size)
        self._vocab_size = source.vocab_size
        self._window = Feeder(source, policy, 1)
        self._input = policy.start_token
        self._row: Logits | None = None

    def logits(self) -> Logits:
        """The graph's own logits for the next token, `[V]`. Raises `ModelError`."""
        if self._row is None:
            self._row = self._window.feed(np.array([[self._input]], np.int64))[0, 0]
        return self._row

    def log_probs(self) -> Floats:
        """Log-probs of the next token, `[V]`, binary64, in nats. Raises `ModelError`."""
        return log_probs(self.logits())

    def append(self, token: int) -> None:
        """Say what the next token is. Raises `UsageError` when it is not in the vocabulary."""
        check_ids([token], self._vocab_size)
        self.logits()
        self._input, self._row = token, None


@dataclass(frozen=True)
class PredictedRows:
    """Rows that predict `ids[first], ids[first + 1], ...`: logits and log-probs, `[n, V]`."""

    first: int
    logits: Logits
    log_probs: Floats


def next_token_log_probs(source: LogitsSource, policy: ContextPolicy, plan: Plan, ids: Ids) -> Iterator[PredictedRows]:
    """The log-probs that predict each of `[n]` known ids, in the order in which the plan computes them."""
    starts = np.cumsum([0, *(len(lane) for lane in cut_lanes(ids, plan.lanes))])
    for batch in rows_of_known_tokens(source, policy, plan, ids):
        for number, rows in enumerate(batch.logits):
            first = int(starts[batch.first_lane + number]) + batch.first_row
            yield PredictedRows(first, rows, log_probs(rows))


def check_ids(ids: list[int], vocab_size: int) -> None:
    """Raise `UsageError` unless all ids are in the vocabulary."""
    wrong = next((token for token in ids if not 0 <= token < vocab_size), None)
    if wrong is not None:
        raise UsageError(f"id {wrong} is not in the vocabulary", f"give ids 0 .. {vocab_size - 1}")


def write_log_probs(
    source: LogitsSource,
    policy: ContextPolicy,
    plan: Plan,
    ids: list[int],
    logits_file: Path,
    coded_file: Path,
    rows_file: Path | None,
    progress: Progress,
) -> None:
    """Write the files of PROTOCOL.md's `logprobs`, little-endian, a row per id in the order of the ids.

    Raises `UsageError`, `ModelError`, `IoError`; none of the files appears then.
    """
    policy.check(source.vocab_size)
    plan.check()
    check_ids(ids, source.vocab_size)
    known = np.array(ids, np.int64)
    coded = np.empty(len(ids))
    done = 0
    with ExitStack() as files:
        logits_out = files.enter_context(output_file(logits_file, overwrite=True))
        coded_out = files.enter_context(output_file(coded_file, overwrite=True))
        rows_out = files.enter_context(output_file(rows_file, overwrite=True)) if rows_file else None
        for rows in next_token_log_probs(source, policy, plan, known):
            count, width = rows.logits.shape
            place = slice(rows.first, rows.first + count)
            coded[place] = rows.log_probs[np.arange(count), known[place]]
            # Lanes take turns, so rows do not come in the order of the file.
            logits_out.seek(rows.first * width * rows.logits.itemsize)
            logits_out.write(_little_endian(rows.logits))
            if rows_out:
                rows_out.seek(rows.first * width * rows.log_probs.itemsize)
                rows_out.write(_little_endian(rows.log_probs))
            done += count
            progress(done, len(ids))
        coded_out.write(_little_endian(coded))


def _little_endian(values: npt.NDArray[np.generic]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
