"""Packing and choice of scales. Owns the promises of `quantize`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmzip.quantize.errors import QuantizeError
from llmzip.quantize.nbits.scales import quantize


def test_packs_even_index_into_the_low_half() -> None:
    weight = np.zeros((1, 32), np.float32)
    weight[0, :4] = [-8, 7, 1, -1]
    blocks = quantize(weight, 32)
    assert blocks.packed.shape == (1, 1, 16)
    assert blocks.packed[0, 0, :3].tolist() == [0xF0, 0x79, 0x88]
    assert blocks.scales.tolist() == [[1.0]]


@pytest.mark.parametrize("greatest", [1, 2, 3, 4, 5, 6, 7, -1, -2, -3, -4, -5, -6, -7, -8])
@pytest.mark.parametrize("scale", [0.25, 0.0123291015625, -0.5])
def test_weights_on_a_grid_come_back_exactly(greatest: int, scale: float) -> None:
    rng = np.random.default_rng(abs(greatest))
    limit = abs(greatest)
    q = rng.integers(-limit + 1, limit, (4, 64))
    q[:, ::32] = greatest
    weight = (q * np.float16(scale)).astype(np.float32)
    assert np.array_equal(quantize(weight, 32).dequantized(), weight)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e-3, 0.1, 30.0]), block=st.sampled_from([16, 32, 64]))
def test_no_weight_is_further_off_than_the_plain_scale_allows(seed: int, size: float, block: int) -> None:
    weight = (np.random.default_rng(seed).standard_normal((3, 2 * block)) * size).astype(np.float32)
    found = quantize(weight, block).dequantized()
    assert found.shape == weight.shape
    parts, errors = weight.reshape(-1, block), (found - weight).reshape(-1, block)
    plain = np.abs(parts).max(axis=1, keepdims=True) / 7
    rounded = (np.rint(parts / plain) * plain - parts).astype(np.float64)
    assert (np.square(errors).sum(axis=1) <= np.square(rounded).sum(axis=1) * 1.01 + 1e-12).all()


def test_a_block_of_zeros_stays_zero() -> None:
    blocks = quantize(np.zeros((2, 32), np.float32), 32)
    assert not blocks.dequantized().any()


def test_refuses_a_ragged_matrix() -> None:
    with pytest.raises(QuantizeError, match="40 inputs, no multiple of the block size 32"):
        quantize(np.zeros((2, 40), np.float32), 32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_refuses_what_is_not_finite(value: float) -> None:
    weight = np.zeros((1, 32), np.float32)
    weight[0, 3] = value
    with pytest.raises(QuantizeError, match="not finite"):
        quantize(weight, 32)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("blocks", [2, 3])
def test_packs_what_it_chose(blocks: int, bits: int, symmetric: bool) -> None:
    weight = np.random.default_rng(5).standard_normal((3, 16 * blocks)).astype(np.float32) + np.float32(0.5)
    found = quantize(weight, 16, bits, symmetric=symmetric)
    assert found.packed.shape == (3, blocks, 16 * bits // 8)
    assert found.zero_points is None if symmetric else found.zero_points is not None
    if found.zero_points is not None:
        assert found.zero_points.shape == (3, -(-blocks * bits // 8))
    step = (np.abs(weight).reshape(3, blocks, 16).max(axis=2) * 2 / (2**bits - 2)).repeat(16, axis=1)
    assert (np.abs(found.dequantized() - weight) <= step).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), symmetric=st.booleans(), bits=st.sampled_from([4, 8]))
def test_least_squares_is_never_worse_than_max_abs(seed: int, symmetric: bool, bits: int) -> None:
    weight = np.random.default_rng(seed).standard_normal((2, 64)).astype(np.float32)
    least, plain = (quantize(weight, 16, bits, scale, symmetric=symmetric) for scale in ("least-squares", "max-abs"))
    errors = [np.square((each.dequantized() - weight).reshape(-1, 16)).sum(axis=1) for each in (least, plain)]
    assert (errors[0] <= errors[1] * 1.000001).all()


def test_max_abs_gives_the_greatest_its_own_value() -> None:
    weight = np.linspace(-0.5, 1, 16, dtype=np.float32)[None]
    assert quantize(weight, 16, scale="max-abs").scales.tolist() == [[-0.125]]


def test_zero_points_serve_a_block_that_lies_on_one_side() -> None:
    weight = np.linspace(0, 1.5, 16, dtype=np.float32)[None]
    found = quantize(weight, 16, scale="max-abs", symmetric=False)
    assert found.zero_points is not None
    assert found.zero_points.tolist() == [[0]]
    np.testing.assert_allclose(found.dequantized(), weight, atol=1e-3)


def test_a_matrix_larger_than_what_is_worked_on_at_once_is_the_same() -> None:
    rows = np.random.default_rng(9).standard_normal((2100, 512)).astype(np.float32)
    whole = quantize(rows, 32, scale="max-abs")
    apart = [quantize(part, 32, scale="max-abs") for part in (rows[:1000], rows[1000:])]
    assert np.array_equal(whole.packed, np.concatenate([each.packed for each in apart]))
    assert np.array_equal(whole.scales, np.concatenate([each.scales for each in apart]))
