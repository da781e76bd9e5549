import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from llmzip.codec.tree import log_prob, log_probs, path, tree_depth, tree_masses
from support import reference

rows = st.integers(2, 70).flatmap(
    lambda size: hnp.arrays(np.float32, size, elements=st.floats(-1e4, 1e4, width=32, allow_nan=False))
)


@pytest.mark.parametrize(("size", "depth"), [(2, 1), (3, 2), (4, 2), (5, 3), (1536, 11), (49152, 16), (1 << 20, 20)])
def test_depth(size: int, depth: int) -> None:
    assert tree_depth(size) == depth


@given(rows, st.data())
def test_decisions_match_the_reference(row: np.ndarray, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(row) - 1))
    found = path(tree_masses(row[np.newaxis]), np.array([token]), len(row))
    expected = reference.decisions(row.astype(float).tolist(), token)
    for bit, odds, coded, step in zip(found.bits[0], found.log_odds[0], found.coded[0], expected, strict=True):
        assert bool(coded) == (step is not None)
        if step is None:
            assert (bit, odds) == (0, 0)
        else:
            assert bit == step[0]
            assert odds == pytest.approx(step[1], abs=1e-11)


@given(rows)
def test_log_probs_are_a_distribution(row: np.ndarray) -> None:
    values = log_probs(row)
    assert values.dtype == np.float64
    assert math.fsum(np.exp(values)) == pytest.approx(1, abs=1e-12)
    assert log_prob(row[np.newaxis], np.array([1]))[0] == values[1]


@given(rows, st.data())
def test_the_path_multiplies_to_the_token_s_probability(row: np.ndarray, data: st.DataObject) -> None:
    row = np.clip(row, -50, 50)
    token = data.draw(st.integers(0, len(row) - 1))
    found = path(tree_masses(row[np.newaxis]), np.array([token]), len(row))
    signed = np.where(found.bits, found.log_odds, -found.log_odds)[found.coded]
    assert -np.log1p(np.exp(-signed)).sum() == pytest.approx(log_probs(row)[token], abs=1e-9)


def test_no_mass_is_ever_zero_or_not_a_number() -> None:
    row = np.full((1, 5), -3e38, np.float32)
    row[0, 4] = 3e38
    found = path(np.repeat(tree_masses(row), 5, axis=0), np.arange(5), 5)
    assert np.isfinite(found.log_odds).all()


def test_masses_are_written_over_in_place() -> None:
    first = tree_masses(np.array([[0.0, 1.0, 2.0]]))
    again = tree_masses(np.array([[2.0, 1.0, 0.0]]), first)
    assert again is first
    assert np.array_equal(again, tree_masses(np.array([[2.0, 1.0, 0.0]])))


def test_half_precision_rows_are_taken_as_they_are() -> None:
    row = np.array([[0.1, 2.5, -7.25]], np.float16)
    assert np.array_equal(tree_masses(row), tree_masses(row.astype(np.float64)))
