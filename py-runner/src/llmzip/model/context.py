"""The context policy (FORMAT.md section 4): which inputs a row is computed from, and in which passes.

Owns windows, warm-ups, lanes and plans; drives any `LogitsSource` and knows neither graphs nor codecs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llmzip.errors import ModelError, UsageError
from llmzip.model.source import Ids, Logits, LogitsSource

# The most that a container can state (FORMAT.md section 2).
MAX_WINDOW = 1 << 20
MAX_LANES = 256
# Bytes of the cache of the lanes that are fed at once, unless one lane alone takes more: a pass holds it two or three times.
MAX_CACHE_BYTES = 192 << 20
# Rows of a pass of a warm-up, unless there are more lanes: their logits are not used, but take memory.
WARM_UP_ROWS = 256


def lane_lengths(token_count: int, lane_count: int) -> list[int]:
    """Tokens of each lane: contiguous, in order, the first ones longer by one."""
    each, more = divmod(token_count, lane_count)
    return [each + (i < more) for i in range(lane_count)]


@dataclass(frozen=True)
class ContextPolicy:
    """What a lane starts from and how far a row sees."""

    start_token: int
    window: int
    overlap: int

    def check(self, vocab_size: int) -> None:
        """Raise `UsageError` where a container could not hold it."""
        if not 2 <= self.window <= MAX_WINDOW:
            raise UsageError(f"the window is {self.window}", f"give 2 .. {MAX_WINDOW}")
        if not 0 <= self.overlap < self.window:
            raise UsageError(
                f"the overlap is {self.overlap}, the window {self.window}", "give an overlap below the window"
            )
        if not 0 <= self.start_token < vocab_size:
            raise UsageError(
                f"the start token is {self.start_token}", f"give an id of the vocabulary, 0 .. {vocab_size - 1}"
            )


@dataclass(frozen=True)
class Plan:
    """How known tokens are fed: lanes, new inputs of a lane per pass, and the most lanes at once where the source takes as many."""

    lanes: int = 1
    chunk: int = 1
    batch: int | None = None

    def check(self) -> None:
        """Raise `UsageError` where it makes no sense."""
        if not 1 <= self.lanes <= MAX_LANES:
            raise UsageError(f"the plan has {self.lanes} lanes", f"give 1 .. {MAX_LANES}")
        if self.chunk < 1:
            raise UsageError(f"the plan has chunks of {self.chunk}", "give 1 or more")


@dataclass(frozen=True)
class RowBatch:
    """Rows `first_row ...` of the lanes `first_lane ...`; logits `[lanes, rows, V]`."""

    first_lane: int
    first_row: int
    logits: Logits


class Feeder:
    """Feeds lanes of equal progress through the windows."""

    def __init__(self, source: LogitsSource, policy: ContextPolicy, lanes: int) -> None:
        self._source = source
        self._policy = policy
        self._lanes = lanes
        self._filled = 0
        # The last inputs, each `[lanes]`, that a warm-up feeds again.
        self._recent: deque[Ids] = deque(maxlen=policy.overlap)
        self._rows = 0
        source.reset(lanes)

    @property
    def room(self) -> int:
        """How many inputs the next pass may have, at least 1."""
        if self._filled < self._policy.window:
            return self._policy.window - self._filled
        return self._policy.window - self._policy.overlap

    def keep_lanes(self, lanes: int) -> None:
        """Go on with the first lanes only."""
        if lanes < self._lanes:
            self._lanes = lanes
            self._source.keep_lanes(lanes)

    def feed(self, inputs: Ids) -> Logits:
        """The rows after `[lanes, n]` inputs, `[lanes, n, V]`; n is at most `room`.

        Raises `ModelError` when a row is not finite.
        """
        if self._filled == self._policy.window:
            self._next_window()
        logits = self._source.feed(inputs)
        if not _is_finite(logits):
            lane, row, token = np.argwhere(~np.isfinite(logits))[0]
            raise ModelError(
                f"the logit of token {token} in row {self._rows + row} of lane {lane} is {logits[lane, row, token]}",
                "the model or its runtime is not usable for this input; try another variant of the model",
            )
        self._filled += inputs.shape[1]
        self._rows += inputs.shape[1]
        self._recent.extend(inputs.T[-self._policy.overlap :] if self._policy.overlap else ())
        return logits

    def _next_window(self) -> None:
        self._source.reset(self._lanes)
        columns = [column[: self._lanes] for column in self._recent]
        # Kernels for grouped queries take many inputs after a past of one lane only.
        chunk = WARM_UP_ROWS if self._lanes == 1 or self._lanes * len(columns) <= WARM_UP_ROWS else 1
        for start in range(0, len(columns), chunk):
            self._source.feed(np.stack(columns[start : start + chunk], axis=1))
        self._filled = self._policy.overlap


def _is_finite(logits: Logits) -> bool:
    if logits.dtype == np.float16:
        # By the bits of the exponent: arithmetic on 16-bit floats is slow.
        return not ((logits.view(np.uint16) & 0x7C00) == 0x7C00).any()
    # Of the two ends, which a NaN spreads to: no array of all answers.
    return bool(np.isfinite([logits.min(), logits.max()]).all())


def cut_lanes(ids: Ids, lanes: int) -> list[Ids]:
    """Tokens as contiguous lanes: as many as asked, at most one per token."""
    lengths = lane_lengths(len(ids), min(lanes, len(ids))) if len(ids) else []
    return np.split(ids, np.cumsum(lengths)[:-1]) if lengths else []


def rows_of_known_tokens(source: LogitsSource, policy: ContextPolicy, plan: Plan, ids: Ids) -> Iterator[RowBatch]:
    """The rows that predict each of `[n]` ids, pass by pass."""
    lanes = cut_lanes(ids, plan.lanes)
    for batch in _batches(source, policy, [len(lane) for lane in lanes], plan.batch):
        yield from _rows_in_step(source, policy, plan.chunk, lanes[batch.start : batch.stop], batch.start)


def _batches(
    source: LogitsSource, policy: ContextPolicy, lengths: Sequence[int], most: int | None = None
) -> list[range]:
    """Which lanes are fed together: as many as the source takes at once and memory allows, but at most so many, in order."""
    lanes = len(lengths)
    cache_bytes = source.cache_bytes * min(policy.window, lengths[0]) if lengths else 0
    fitting = max(MAX_CACHE_BYTES // cache_bytes, 1) if cache_bytes else lanes
    size = min(source.max_batch or lanes, most or lanes, fitting, lanes)
    return [range(start, min(start + size, lanes)) for start in range(0, lanes, size or 1)]


def _rows_in_step(
    source: LogitsSource, policy: ContextPolicy, chunk: int, lanes: Sequence[Ids], first_lane: int
) -> Iterator[RowBatch]:
    inputs = [np.concatenate([[policy.start_token], lane[:-1]]) for lane in lanes]
    window = Feeder(source, policy, len(lanes))
    longest, shortest = len(lanes[0]), len(lanes[-1])
    row = 0
    while row < longest:
        # All lanes up to the end of the shortest, then those with one more.
        end = shortest if row < shortest else longest
        active = [lane for lane in inputs if len(lane) > row]
        window.keep_lanes(len(active))
        count = min(chunk, window.room, end - row)
        logits = window.feed(np.stack([lane[row : row + count] for lane in active]))
        yield RowBatch(first_lane, row, logits)
        row += count


def decode_in_lockstep(
    source: LogitsSource, policy: ContextPolicy, lengths: Sequence[int], decide: Callable[[int, Logits], Sequence[int]]
) -> None:
    """Walk lanes of unknown tokens, longest first: `decide(first_lane, rows [lanes, V])` gives the next token of each."""
    for batch in _batches(source, policy, lengths):
        _decode_in_step(source, policy, lengths[batch.start : batch.stop], batch.start, decide)


def _decode_in_step(
    source: LogitsSource,
    policy: ContextPolicy,
    lengths: Sequence[int],
    first_lane: int,
    decide: Callable[[int, Logits], Sequence[int]],
) -> None:
    window = Feeder(source, policy, len(lengths))
    active = len(lengths)
    inputs = np.full((active, 1), policy.start_token, np.int64)
    for row in range(lengths[0]):
        while lengths[active - 1] <= row:
            active -= 1
        window.keep_lanes(active)
        logits = window.feed(inputs[:active])
        inputs = np.array(decide(first_lane, logits[:, 0]), np.int64)[:, np.newaxis]
