import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.codec.block import CELL_LADDER
from llmzip.codec.grid import Grid, bit_cost, bit_costs, offset_numerator, position, probability_table
from support import reference

GOLDEN = Path(__file__).parents[3] / "golden" / "codec"
OFFSETS = 32


def test_the_table_is_the_golden_one() -> None:
    copy = resources.files("llmzip.codec").joinpath("probability_table.bin").read_bytes()
    assert copy == (GOLDEN / "probability_table.bin").read_bytes()
    assert probability_table().tolist() == reference.TABLE


def test_the_golden_table_is_what_its_script_makes() -> None:
    subprocess.run([sys.executable, GOLDEN / "make_probability_table.py", "--check"], check=True, capture_output=True)


def test_bit_costs_match_the_reference_and_the_logarithm() -> None:
    costs = bit_costs()
    assert costs[1:].tolist() == [reference.bit_cost(p) for p in range(1, 65536)]
    assert bit_cost(np.array([32768]))[0] == 65536
    exact = -np.log2(np.arange(1, 65536) / 65536) * 65536
    assert np.abs(costs[1:] - exact).max() < 4


def test_offsets_are_golden_multiples() -> None:
    assert [offset_numerator(k) for k in range(4)] == [0, 40503, 15470, 55973]


@given(st.floats(-700, 700), st.integers(0, OFFSETS - 1), st.sampled_from(CELL_LADDER))
def test_cells_and_probabilities_match_the_reference(v: float, k: int, cells: int) -> None:
    grid, slow = Grid(cells, OFFSETS, 1e-5), reference.Grid(cells, 1e-5)
    cell = grid.scalar_cell(v, k)
    assert cell == slow.cell(v, k)
    assert -1 <= cell <= cells
    if slow.is_safe(v, k, slow.guard):
        assert grid.is_safe(np.array([v]), k, grid.guard)[0]
        assert grid.cell(np.array([v]), k)[0] == cell
    assert grid.leader_guard(np.array([v]))[0] == pytest.approx(slow.leader_guard(v), abs=1e-15)
    assert grid.probability(cell, k) == slow.probability(cell, k) == grid.probabilities(k)[cell + 1]


@pytest.mark.parametrize("cells", [2, 3, 48, 2048, 4096])
def test_every_cell_has_the_probability_of_its_exact_middle(cells: int) -> None:
    grid, slow = Grid(cells, 64, 0.0), reference.Grid(cells, 0.0)
    for k in (0, 1, 31, 63):
        expected = [slow.probability(c, k) for c in range(-1, cells + 1)]
        assert grid.probabilities(k) == expected
        assert expected == sorted(expected)


def test_positions_grow_and_stay_inside() -> None:
    places = position(np.linspace(-1000, 1000, 20001))
    assert (np.diff(places) >= 0).all()
    assert places[0] > 0
    assert places[-1] < 1
    assert position(np.array([0.0]))[0] == 0.5


@pytest.mark.parametrize(("eps", "cells"), [(0.0, 2048), (1e-5, 48), (5e-5, 32), (2e-2, 4), (0.5, 2)])
def test_no_cell_differs_under_adversarial_noise(eps: float, cells: int) -> None:
    """A million decisions: wherever a writer may code, a reader at either end of what eps allows finds the writer's cell."""
    generator = np.random.default_rng(7)
    grid = Grid(cells, OFFSETS, eps)
    # Log-odds as they occur, and log-odds at the very edge of the guard of a cell's boundary.
    spread = generator.normal(scale=6, size=2000)
    edges = np.arange(1, cells)[:, np.newaxis] + grid.shifts
    boundary = 3 * np.log(np.tan(np.pi / 2 * np.clip(edges / cells, 1e-9, 1 - 1e-9))).ravel()
    near = generator.choice(boundary, 6000) + generator.choice([-1, 1], 6000) * grid.guard * generator.uniform(
        0.99, 1.01, 6000
    )
    checked = unsafe = 0
    for k in range(OFFSETS):
        v = np.concatenate([spread, near])
        safe = grid.is_safe(v, k, grid.guard)
        unsafe += int((~safe).sum())
        for noise in (-2 * eps, 2 * eps, -2 * eps - 1e-10, 2 * eps + 1e-10):
            assert (grid.cell(v[safe], k) == grid.cell(v[safe] + noise, k)).all()
            checked += int(safe.sum())
    assert checked >= (1_000_000 if eps < 0.1 else 100_000)
    assert unsafe > 0


@pytest.mark.parametrize("eps", [1e-9, 1e-5, 5e-5, 1e-3, 2e-2, 0.1, 0.25, 0.3, 0.9])
def test_no_log_odds_of_a_leader_move_beyond_their_guard(eps: float) -> None:
    """When all log-probs move by eps at most, and the probabilities still add up to 1."""
    generator = np.random.default_rng(3)
    v = np.concatenate([generator.uniform(-40, 40, 50_000), generator.normal(scale=0.5, size=50_000)])
    guard = Grid(8, OFFSETS, eps).leader_guard(v)
    for lead, others in ((v, -v), (-v, v)):
        # The smaller part's probability moves by the whole of eps, the larger's by what is left over, or by eps if that is more.
        small, sign = np.minimum(lead, others), np.where(lead < others, 1, -1)
        log_small = -np.logaddexp(0, -small)
        for step in (eps, -eps):
            rest = -np.expm1(np.minimum(log_small + step, -1e-300))
            shift = np.clip(np.log(np.maximum(rest, 1e-300)) + np.logaddexp(0, small), -eps, eps)
            assert (np.abs(sign * (step - shift)) <= guard).all()


def test_leads_are_safe_away_from_their_threshold() -> None:
    grid = Grid(8, OFFSETS, 1e-3)
    for k in range(OFFSETS):
        threshold = 1 + offset_numerator(k) / 65536
        lead = threshold + np.array([-1, -0.003, -0.0019, 0.0, 0.0019, 0.003, 1])
        assert grid.leads(lead, k).tolist() == [False, False, False, False, True, True, True]
        assert grid.leads_safely(lead, k).tolist() == [True, True, False, False, False, True, True]


@pytest.mark.parametrize(("cells", "offsets"), [(2, 1), (3, 32), (24, 64), (2048, 32)])
def test_costs_are_those_of_the_probabilities(cells: int, offsets: int) -> None:
    costs = Grid(cells, offsets, 1e-5).costs()
    assert costs.shape == (2, cells + 2, offsets)
    for k in range(offsets):
        p = np.array(Grid(cells, offsets, 1e-5).probabilities(k))
        assert np.array_equal(costs[1, :, k], bit_costs()[p])
        assert np.array_equal(costs[0, :, k], bit_costs()[65536 - p])
