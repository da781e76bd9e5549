"""The times of round trips: what belongs together, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from llmzip.container.layout import MAX_FRAME_BYTES
from llmzip.errors import UnsupportedError, UsageError
from llmzip.timing import time_round_trips
from support.synthetic import settings, synthetic_model

TEXT = b"what is said once is said again, and again; " * 20


@pytest.mark.parametrize("exact", [True, False])
def test_every_run_is_timed_and_the_session_is_a_part_of_it(exact: bool) -> None:
    told: list[tuple[int, int]] = []
    timing = time_round_trips(
        TEXT, synthetic_model(exact=exact), settings(lanes=3), 2, lambda *progress: told.append(progress)
    )
    assert timing.plain_bytes == len(TEXT)
    assert timing.container_bytes > 0
    for runs in (timing.encode, timing.decode):
        assert len(runs) == 2
        for run in runs:
            assert 0 < run.session_s < run.elapsed_s
            assert run.passes_s > 0
    assert told[-1] == (9 * timing.tokens, 9 * timing.tokens)
    assert all(later - done >= 0 for (done, _), (later, _) in pairwise(told))


def test_nothing_runs_that_compress_would_refuse() -> None:
    model = synthetic_model(exact=False)
    before = len(model.source.passes)  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedError, match="eps 0 relies"):
        time_round_trips(TEXT, model, settings("0"), 1, lambda *_: None)
    policy = replace(settings().policy, start_token=model.source.vocab_size)
    with pytest.raises(UsageError, match="the start token is"):
        time_round_trips(TEXT, model, replace(settings(), policy=policy), 1, lambda *_: None)
    assert len(model.source.passes) == before  # type: ignore[attr-defined]


def test_what_is_no_coded_frame_is_not_timed() -> None:
    for plain, what in ((b"", "stored, not coded"), (b"a" * (MAX_FRAME_BYTES + 1), "more than a frame's")):
        with pytest.raises(UsageError, match=what):
            time_round_trips(plain, synthetic_model(), settings(), 1, lambda *_: None)
