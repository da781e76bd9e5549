import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llmzip.codec.lane_paths import path
from llmzip.codec.tree import RowTrees, log_probs, tree_depth
from support import reference
from support.lanes import path_of

rows = st.integers(2, 70).flatmap(
    lambda size: hnp.arrays(np.float32, size, elements=st.floats(-1e4, 1e4, width=32, allow_nan=False))
)


@pytest.mark.parametrize(("size", "depth"), [(2, 1), (3, 2), (4, 2), (5, 3), (1536, 11), (49152, 16), (1 << 20, 20)])
def test_depth(size: int, depth: int) -> None:
    assert tree_depth(size) == depth


def check_steps(
    bits: np.ndarray, odds: np.ndarray, coded: np.ndarray, expected: list[tuple[int, float] | None]
) -> None:
    for bit, v, is_coded, step in zip(bits, odds, coded, expected, strict=True):
        assert bool(is_coded) == (step is not None)
        if step is None:
            assert (bit, v) == (0, 0)
        else:
            assert bit == step[0]
            assert v == pytest.approx(step[1], abs=1e-11)


@given(rows, st.data())
def test_decisions_match_the_reference(row: np.ndarray, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(row) - 1))
    found, _ = path_of(row[np.newaxis], np.array([token]), 1e9)
    values = row.astype(float).tolist()
    leader, lead, odds = reference.leader(values)
    assert (found.leads[0], found.is_leader[0]) == (lead, token == leader)
    assert found.leader_log_odds[0] == pytest.approx(odds, abs=1e-11)
    check_steps(found.bits[0], found.all[0], found.coded[0], reference.decisions(values, token))
    if token != leader:
        check_steps(found.bits[0], found.others[0], found.coded[0], reference.decisions(values, token, leader))


def trees_of(rows: np.ndarray) -> RowTrees:
    found = RowTrees(*rows.shape)
    found.take(rows)
    return found


def test_the_leader_is_the_first_of_equals() -> None:
    found = trees_of(np.array([[1.0, 3.0, 3.0], [3.0, 1.0, 2.5]]))
    assert found.leaders.tolist() == [1, 0]
    assert found.leads.tolist() == [0.0, 0.5]


def test_trees_are_built_where_an_offset_can_ask_for_them() -> None:
    guard = 0.01
    for lead, needs_others, needs_all in (
        (0.5, False, True),
        (0.995, True, True),
        (1.5, True, True),
        (2.005, True, True),
        (2.5, True, False),
    ):
        found, _ = path_of(np.array([[0.0, lead, -1.0, -1.0]]), np.array([2]), guard)
        assert found.others.any() == needs_others
        assert found.all.any() == needs_all


@given(rows)
def test_log_probs_are_a_distribution(row: np.ndarray) -> None:
    values = log_probs(row)
    assert values.dtype == np.float64
    assert math.fsum(np.exp(values)) == pytest.approx(1, abs=1e-12)
    assert path_of(row[np.newaxis], np.array([1]), 0)[1][0] == pytest.approx(values[1], rel=1e-15, abs=1e-15)


@given(rows, st.data(), st.booleans())
def test_the_decisions_multiply_to_the_token_s_probability(row: np.ndarray, data: st.DataObject, led: bool) -> None:
    row = np.clip(row, -50, 50)
    token = data.draw(st.integers(0, len(row) - 1))
    found, _ = path_of(row[np.newaxis], np.array([token]), 1e9)
    steps = []
    if led:
        steps = [found.leader_log_odds[0] if found.is_leader[0] else -found.leader_log_odds[0]]
    if not (led and found.is_leader[0]):
        odds = found.others if led else found.all
        steps += np.where(found.bits, odds, -odds)[found.coded].tolist()
    assert -np.log1p(np.exp(-np.array(steps))).sum() == pytest.approx(log_probs(row)[token], abs=1e-9)


def test_no_log_odds_are_ever_not_a_number() -> None:
    row = np.full((1, 5), -3e38, np.float32)
    row[0, 4] = 3e38
    found, _ = path_of(np.repeat(row, 5, axis=0), np.arange(5), 1e39)
    for odds in (found.leader_log_odds, found.others, found.all):
        assert np.isfinite(odds).all()


@given(st.lists(rows, min_size=2, max_size=4), st.data())
def test_decisions_are_the_same_in_room_that_was_used_before(some: list[np.ndarray], data: st.DataObject) -> None:
    vocab_size = len(some[0])
    trees = RowTrees(2, vocab_size)
    for each in some:
        pair = np.stack([np.resize(each, vocab_size), np.resize(each[::-1], vocab_size)])
        ids = np.array([data.draw(st.integers(0, vocab_size - 1)) for _ in pair])
        trees.take(pair)
        found, found_log_probs = path(trees, ids, 0.1)
        expected, log_probs_alone = path_of(pair, ids, 0.1)
        assert len(trees) == len(pair)
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert np.array_equal(found_log_probs, log_probs_alone)


def test_two_ids_leave_one_without_the_leader() -> None:
    found, _ = path_of(np.array([[0.0, 3.0]]), np.array([0]), 0.01)
    assert found.others[0, 0] == pytest.approx(math.log(2.0**-1000) + 3)


@given(st.lists(st.tuples(rows, st.sampled_from([np.float16, np.float32, np.float64])), max_size=4), st.data())
def test_room_that_was_used_before_changes_nothing(before: list[tuple[np.ndarray, type]], data: st.DataObject) -> None:
    row = data.draw(rows)
    trees = RowTrees(3, len(row))
    for other, kind in before:
        trees.take(np.resize(np.clip(other, -6e4, 6e4), (data.draw(st.integers(1, 3)), len(row))).astype(kind))
    trees.take(row[np.newaxis])
    fresh = trees_of(row[np.newaxis])
    assert len(trees) == 1
    assert (trees.leaders[0], trees.leads[0], trees.others[0]) == (fresh.leaders[0], fresh.leads[0], fresh.others[0])
    ids = np.arange(len(row))
    for with_leader in (True, False):
        found, expected = (each.path_log_odds(0 * ids, ids, with_leader=with_leader) for each in (trees, fresh))
        assert np.array_equal(found, expected)


def test_half_precision_rows_are_taken_as_they_are() -> None:
    row, ids = np.array([[0.1, 2.5, -7.25]], np.float16), np.arange(3)
    narrow, wide = (
        trees_of(each).path_log_odds(0 * ids, ids, with_leader=False) for each in (row, row.astype(np.float64))
    )
    assert np.array_equal(narrow, wide)


def draw_rows(size: int) -> np.ndarray:
    rng = np.random.default_rng(size)
    some = rng.standard_normal((4, size)).astype(np.float32) * np.array([[1], [4], [300], [4]], np.float32)
    # The leader at the edges of the vocabulary, and of the spans.
    some[0, size - 1] = some[1, min(64, size - 1)] = 9
    some[3, size // 2 :] = 2.5
    return some


@pytest.mark.parametrize("size", [2, 3, 63, 64, 65, 100, 128, 129, 257, 1000])
@pytest.mark.parametrize("with_leader", [False, True])
def test_every_way_through_the_tree_is_that_of_the_reference(size: int, with_leader: bool) -> None:
    some = draw_rows(size)
    trees = trees_of(some)
    ids = np.arange(size)
    for row, tree in enumerate(trees):
        odds = trees.path_log_odds(np.full(size, row), ids, with_leader=with_leader)
        values = some[row].astype(float).tolist()
        for token in {0, size // 3, 62 % size, 63 % size, 64 % size, size - 2, size - 1, tree.leader}:
            if token == tree.leader and not with_leader:
                continue
            expected = reference.decisions(values, token, None if with_leader else tree.leader)
            coded = [step for step in expected if step is not None]
            seen: list[float] = []

            def decide(v: float, seen: list[float] = seen, coded: list[tuple[int, float]] = coded) -> int:
                seen.append(v)
                return coded[len(seen) - 1][0]

            assert tree.find(decide, with_leader=with_leader) == token
            assert seen == pytest.approx([v for _, v in coded], abs=1e-11)
            found = [v for v, step in zip(odds[token], expected, strict=True) if step is not None]
            assert found == pytest.approx(seen, abs=1e-11)
