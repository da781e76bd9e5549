"""How long a model takes to compress and to decompress some bytes, how much of that is spent inside its session, and how long the session
takes for the same passes when nobody looks at the logits.

Owns the clock. Runs what `compressor` has, and changes nothing of it.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from llmzip.compressor import CompressOptions, Progress, compress, decompress, lanes_of, writer_plan
from llmzip.container.layout import MAX_FRAME_BYTES
from llmzip.container.runs import split_runs
from llmzip.errors import UsageError
from llmzip.model.context import Plan, rows_of_known_tokens
from llmzip.model.exactness import Exactness
from llmzip.model.source import Ids, LanguageModel, Logits, LogitsSource


@dataclass(frozen=True)
class Timed:
    """One way through a container, beside the passes alone. All in seconds."""

    elapsed_s: float
    session_s: float
    passes_s: float


@dataclass
class Timing:
    """What was measured: a `Timed` of each run, both ways."""

    plain_bytes: int
    container_bytes: int
    tokens: int
    encode: list[Timed] = field(default_factory=list)
    decode: list[Timed] = field(default_factory=list)


def time_round_trips(
    plain: bytes, model: LanguageModel, settings: CompressOptions, runs: int, progress: Progress
) -> Timing:
    """Compress `plain`, which is one frame, and decompress the container, in memory, `runs` times.

    Every time stands beside that of the passes alone, which come first in every other run. One round of passes goes before, uncounted, to
    warm up. Raises `UsageError` where `plain` is longer than a frame, or nothing of it would be coded, and what `compress` and `decompress`
    raise.
    """
    if len(plain) > MAX_FRAME_BYTES:
        raise UsageError(
            f"{len(plain)} bytes are more than a frame's {MAX_FRAME_BYTES}, and what is timed is one frame",
            "give a shorter input",
        )
    settings = replace(settings, frame_bytes=MAX_FRAME_BYTES)
    # What `compress` would refuse is refused before the passes that warm up.
    settings.check(model.source)
    ids = np.array(split_runs(plain, model.tokenizer).ids, np.int64)
    lanes = lanes_of(settings.lanes, len(ids))
    writing, reading = writer_plan(model.source, lanes, settings.eps.value), Plan(lanes)
    source = _TimedSource(model.source)
    timed_model = replace(model, source=source)
    # Of each run: a container written and read, and the passes of both; and those that warm up.
    done, total = 0, len(ids) * (4 * runs + 1)

    def passes(plan: Plan) -> float:
        nonlocal done
        start = time.perf_counter()
        for batch in rows_of_known_tokens(model.source, settings.policy, plan, ids):
            done += batch.logits.shape[0] * batch.logits.shape[1]
            progress(done, total)
        return time.perf_counter() - start

    def beside_passes(plan: Plan, passes_first: bool, work: Callable[[Progress], None]) -> Timed:
        nonlocal done
        before = passes(plan) if passes_first else None
        source.spent_s, base, start = 0.0, done, time.perf_counter()
        work(lambda rows, _: progress(base + rows, total))
        elapsed = time.perf_counter() - start
        done = base + len(ids)
        progress(done, total)
        return Timed(elapsed, source.spent_s, passes(plan) if before is None else before)

    timing = Timing(len(plain), 0, len(ids))
    passes(writing)
    for run in range(runs):
        container = io.BytesIO()

        def write(report: Progress, container: io.BytesIO = container) -> None:
            if compress(io.BytesIO(plain), container, timed_model, settings, report).tokens == 0:
                raise UsageError(
                    "the input is stored, not coded: there is nothing to time",
                    "give a longer text, of the kind that the model knows",
                )

        def read(report: Progress, container: io.BytesIO = container) -> None:
            container.seek(0)
            decompress(container, io.BytesIO(), timed_model, report)

        timing.encode.append(beside_passes(writing, run % 2 == 1, write))
        timing.decode.append(beside_passes(reading, run % 2 == 1, read))
        timing.container_bytes = container.getbuffer().nbytes
    return timing


class _TimedSource:
    """A `LogitsSource` that adds up how long it works."""

    def __init__(self, source: LogitsSource) -> None:
        self._source = source
        self.spent_s = 0.0

    @property
    def vocab_size(self) -> int:
        return self._source.vocab_size

    @property
    def logits_type(self) -> str:
        return self._source.logits_type

    @property
    def max_batch(self) -> int | None:
        return self._source.max_batch

    @property
    def cache_bytes(self) -> int:
        return self._source.cache_bytes

    @property
    def exactness(self) -> Exactness:
        return self._source.exactness

    @property
    def plan_tolerance(self) -> float | None:
        return self._source.plan_tolerance

    def reset(self, batch: int) -> None:
        start = time.perf_counter()
        self._source.reset(batch)
        self.spent_s += time.perf_counter() - start

    def keep_lanes(self, batch: int) -> None:
        start = time.perf_counter()
        self._source.keep_lanes(batch)
        self.spent_s += time.perf_counter() - start

    def feed(self, ids: Ids) -> Logits:
        start = time.perf_counter()
        logits = self._source.feed(ids)
        self.spent_s += time.perf_counter() - start
        return logits
