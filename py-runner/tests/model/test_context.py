import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmzip.errors import ModelError, UsageError
from llmzip.model.context import ContextPolicy, Plan, cut_lanes, decode_in_lockstep, rows_of_known_tokens
from support.synthetic import SyntheticSource

V = 50


def check_passes(
    policy: tuple[int, int], plan: tuple[int, int], tokens: int, *expected: tuple[int, list[list[int]]]
) -> None:
    """The passes over ids 1, 2, 3, ... after start token 0: the position of the first input, and the inputs of each lane."""
    source = SyntheticSource(V)
    batches = list(rows_of_known_tokens(source, ContextPolicy(0, *policy), Plan(*plan), np.arange(1, tokens + 1)))
    assert source.passes == list(expected)
    assert sum(batch.logits.shape[0] * batch.logits.shape[1] for batch in batches) == tokens


def test_windows_token_by_token() -> None:
    check_passes((3, 1), (1, 1), 4, (0, [[0]]), (1, [[1]]), (2, [[2]]), (0, [[2]]), (1, [[3]]))
    check_passes((2, 0), (1, 1), 4, (0, [[0]]), (1, [[1]]), (0, [[2]]), (1, [[3]]))
    check_passes((4, 1), (1, 1), 4, (0, [[0]]), (1, [[1]]), (2, [[2]]), (3, [[3]]))
    check_passes((2, 1), (1, 1), 3, (0, [[0]]), (1, [[1]]), (0, [[1]]), (1, [[2]]))


def test_chunks_end_with_the_window() -> None:
    check_passes(
        (5, 2), (1, 3), 9, (0, [[0, 1, 2]]), (3, [[3, 4]]), (0, [[3, 4]]), (2, [[5, 6, 7]]), (0, [[6, 7]]), (2, [[8]])
    )
    check_passes((4, 2), (1, 99), 6, (0, [[0, 1, 2, 3]]), (0, [[2, 3]]), (2, [[4, 5]]))


def test_lanes_leave_at_the_last_step() -> None:
    check_passes((9, 2), (2, 1), 5, (0, [[0], [0]]), (1, [[1], [4]]), (2, [[2]]))
    check_passes((9, 2), (2, 9), 5, (0, [[0, 1], [0, 4]]), (2, [[2]]))
    # The last step opens a window as well: only the lane that goes on is warmed up.
    check_passes((2, 1), (2, 1), 5, (0, [[0], [0]]), (1, [[1], [4]]), (0, [[1]]), (1, [[2]]))
    check_passes((9, 2), (8, 1), 2, (0, [[0], [0]]))
    check_passes((9, 2), (4, 4), 0)


def test_a_graph_without_a_batch_takes_lanes_one_by_one() -> None:
    source = SyntheticSource(V, max_batch=1)
    batches = list(rows_of_known_tokens(source, ContextPolicy(0, 9, 2), Plan(2, 1), np.arange(1, 6)))
    assert source.passes == [(0, [[0]]), (1, [[1]]), (2, [[2]]), (0, [[0]]), (1, [[4]])]
    assert [(batch.first_lane, batch.first_row) for batch in batches] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


@given(
    st.integers(1, 40),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(2, 12),
    st.data(),
    st.sampled_from([None, 1, 2, 3]),
)
@settings(deadline=None)
def test_every_plan_feeds_each_lane_the_same_inputs(
    tokens: int, lanes: int, chunk: int, window: int, data: st.DataObject, batch: int | None
) -> None:
    """Rows of this source are a function of the inputs since the reset: any plan gives the same rows, and a reader meets them too."""
    policy = ContextPolicy(7, window, data.draw(st.integers(0, window - 1)))
    ids = np.array(data.draw(st.lists(st.integers(0, V - 1), min_size=tokens, max_size=tokens)))

    def rows(plan: Plan, max_batch: int | None) -> list[np.ndarray]:
        lengths = [len(lane) for lane in cut_lanes(ids, plan.lanes)]
        out = [np.full((length, V), np.nan) for length in lengths]
        for each in rows_of_known_tokens(SyntheticSource(V, max_batch=max_batch), policy, plan, ids):
            for number, logits in enumerate(each.logits):
                out[each.first_lane + number][each.first_row : each.first_row + len(logits)] = logits
        return out

    expected = rows(Plan(lanes, 1), None)
    for found in (rows(Plan(lanes, chunk), batch), rows(Plan(lanes, 1), 1)):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))

    known = cut_lanes(ids, lanes)
    met: list[list[np.ndarray]] = [[] for _ in known]

    def decide(first_lane: int, logits: np.ndarray) -> list[int]:
        tokens = []
        for number, row in enumerate(logits):
            lane = met[first_lane + number]
            tokens.append(int(known[first_lane + number][len(lane)]))
            lane.append(row)
        return tokens

    decode_in_lockstep(SyntheticSource(V, max_batch=batch), policy, [len(lane) for lane in known], decide)
    assert all(np.array_equal(np.array(a), b) for a, b in zip(met, expected, strict=True))


@pytest.mark.parametrize(("lanes", "warm_up"), [(51, [5]), (52, [1] * 5), (256, [1] * 5)])
def test_a_warm_up_of_many_lanes_takes_several_passes(lanes: int, warm_up: list[int]) -> None:
    source = SyntheticSource(V)
    list(rows_of_known_tokens(source, ContextPolicy(0, 8, 5), Plan(lanes, 8), np.zeros(9 * lanes, np.int64)))
    assert [(len(ids), len(ids[0])) for _, ids in source.passes] == [(lanes, each) for each in [8, *warm_up, 1]]


def test_a_long_warm_up_of_one_lane_takes_several_passes() -> None:
    source = SyntheticSource(V)
    list(rows_of_known_tokens(source, ContextPolicy(0, 600, 520), Plan(1, 600), np.zeros(601, np.int64)))
    assert [(at, len(ids[0])) for at, ids in source.passes] == [(0, 600), (0, 256), (256, 256), (512, 8), (520, 1)]


class Poisoned(SyntheticSource):
    """A source whose row 5 has one value that is no number."""

    def __init__(self, value: float, kind: type) -> None:
        super().__init__(V)
        self._value = value
        self._kind = kind

    def _step(self, ids: np.ndarray) -> np.ndarray:
        logits: np.ndarray = super()._step(ids).astype(self._kind)
        if self._rows == 6:
            logits[-1, 17] = self._value
        return logits


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_rows_that_are_not_finite_are_an_error(value: float, kind: type) -> None:
    with pytest.raises(ModelError, match="token 17 in row 5 of lane 1"):
        list(rows_of_known_tokens(Poisoned(value, kind), ContextPolicy(0, 9, 2), Plan(2, 1), np.zeros(20, np.int64)))


@pytest.mark.parametrize("policy", [(0, 1, 0), (0, (1 << 20) + 1, 0), (0, 8, 8), (50, 8, 2), (-1, 8, 2), (0, 8, -1)])
def test_policies_that_no_container_holds(policy: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError):
        ContextPolicy(*policy).check(V)


@pytest.mark.parametrize("plan", [(0, 1), (257, 1), (1, 0)])
def test_plans_that_make_no_sense(plan: tuple[int, int]) -> None:
    with pytest.raises(UsageError):
        Plan(*plan).check()


@pytest.mark.parametrize(
    ("cache_bytes", "length", "expected"),
    [
        (0, 4, [9]),
        (5 << 20, 4, [9]),
        (12 << 20, 4, [4, 4, 1]),
        ((12 << 20) + 1, 4, [3, 3, 3]),
        (12 << 20, 8, [2, 2, 2, 2, 1]),
        (12 << 20, 40, [2, 2, 2, 2, 1]),
        (1 << 60, 2, [1] * 9),
    ],
)
def test_no_more_lanes_are_fed_at_once_than_have_a_small_cache(
    cache_bytes: int, length: int, expected: list[int]
) -> None:
    policy = ContextPolicy(0, 8, 2)
    ids = np.arange(9 * length) % V
    source = SyntheticSource(V, cache_bytes=cache_bytes)
    batches = rows_of_known_tokens(source, policy, Plan(9, 1), ids)
    assert [len(batch.logits) for batch in batches if batch.first_row == 0] == expected
    met: dict[int, int] = {}

    def decide(first_lane: int, rows: np.ndarray) -> list[int]:
        met.setdefault(first_lane, len(rows))
        return [0] * len(rows)

    decode_in_lockstep(source, policy, [length] * 9, decide)
    assert list(met.values()) == expected
