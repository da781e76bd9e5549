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
