"""The basis of the residual: its matrices, the bits of what is rotated, and what it is for. Owns no graph's promises but one."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.quantize import QuantizeError
from llmzip.quantize.exact import export_exact
from llmzip.quantize.exact.residual import ResidualBasis, hadamard

from . import llama
from .test_exact_graph import IDS, Run, logits

if TYPE_CHECKING:
    from pathlib import Path

# Hidden sizes of models, and sizes that only part of a row, or nothing, can be done for.
ORDERS = {192: 192, 576: 576, 896: 896, 960: 960, 1536: 1536, 2048: 2048, 3584: 3584, 100: 20, 36: 12, 7: 1}


@pytest.mark.parametrize(("size", "order"), ORDERS.items())
def test_a_hadamard_matrix_spreads_evenly(size: int, order: int) -> None:
    matrix = hadamard(size).astype(np.float64)
    assert matrix.shape == (order, order)
    assert set(np.unique(matrix)) <= {-1, 1}
    np.testing.assert_array_equal(matrix @ matrix.T, order * np.eye(order))


@pytest.mark.parametrize("size", [*ORDERS, 1])
def test_the_basis_is_orthogonal(size: int) -> None:
    basis = ResidualBasis(size)
    matrix = basis.matrix.astype(np.float64)
    np.testing.assert_array_equal(matrix @ matrix.T, basis.order * np.eye(size))
    np.testing.assert_array_equal(np.abs(matrix).sum(axis=0), basis.order)


def test_equal_numbers_do_not_become_one() -> None:
    rotated = np.abs(ResidualBasis(192).rotated(np.ones((1, 192), np.float32)))
    assert rotated.max() <= 6 * rotated.mean()


@given(st.lists(st.floats(-(2.0**120), 2.0**120, width=32), min_size=12, max_size=12))
def test_no_rounding_is_left_to_the_order_of_a_sum(numbers: list[float]) -> None:
    """Numbers are rounded to 30 bits of the largest, and the sum of these at the end."""
    basis = ResidualBasis(12)
    found = basis.rotated(np.array([numbers], np.float32))[0]
    exponent = 30 - math.frexp(max(map(abs, numbers)))[1]
    whole = [round(Fraction(number) * Fraction(2) ** exponent) for number in numbers]
    for column, value in zip(basis.matrix.T.tolist(), found, strict=True):
        total = sum(number * sign for number, sign in zip(whole, column, strict=True))
        assert value == np.float32(math.ldexp(total / math.sqrt(12), -exponent))


def test_many_rows_are_rotated_as_one_is() -> None:
    """Rows of small numbers too, beside great ones."""
    basis = ResidualBasis(12)
    rows = np.random.default_rng(0).standard_normal((5000, 12)).astype(np.float32)
    rows[4711] *= np.float32(1e-9)
    whole = basis.rotated(rows)
    for at in (0, 4095, 4096, 4711):
        np.testing.assert_array_equal(whole[at], basis.rotated(rows[at : at + 1])[0])
    np.testing.assert_allclose(whole[4711], rows[4711] @ basis.matrix / math.sqrt(12), rtol=1e-5, atol=1e-14)


def test_what_would_not_be_finite_is_refused() -> None:
    with pytest.raises(QuantizeError, match="too large"):
        ResidualBasis(4).rotated(ResidualBasis(4).matrix.T.astype(np.float32) * np.finfo(np.float32).max)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(QuantizeError, match="not finite"):
        ResidualBasis(4).rotated(np.array([[1, bad, 2, 3]], np.float32))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_great_channel_costs_the_others_little(tmp_path: Path, tied: bool) -> None:
    """It is fifty times as great as the rest. Not rotated, the errors below are 0.30 and 0.25."""
    sizes = llama.Sizes(tied=tied)
    weights = llama.random_weights(sizes, 1)
    embedding = weights["model.embed_tokens.weight"]
    embedding[:, 11] = 50 * embedding.std()
    (tmp_path / "config.json").write_text(json.dumps(llama.config(sizes)))
    (tmp_path / "model.safetensors").write_bytes(llama.safetensors(weights))
    found = logits(export_exact(tmp_path).content, np.array([IDS]), Run())[0]
    wanted = llama.logits(weights, sizes, IDS)
    # The great channel adds nearly the same to a logit in every row: what counts is in what rows differ.
    found, wanted = found - found.mean(axis=0), wanted - wanted.mean(axis=0)
    assert np.sqrt(np.square(found - wanted).mean()) <= 0.15 * wanted.std()
