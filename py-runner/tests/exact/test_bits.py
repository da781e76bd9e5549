"""The rules are about real bits: broken graphs differ from themselves in ONNX Runtime, exact ones do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from . import graphs
from .breaks import BREAKS

PREFILL: dict[str, Any] = {}
STEP: dict[str, Any] = {"chunk": 1}
PLAIN: dict[str, Any] = {"level": "disabled"}
BASIC: dict[str, Any] = {"level": "basic"}

# A last bit is often lost where a row is next rounded to bytes, so that one text may not show it.
TEXTS = np.random.default_rng(0).integers(0, graphs.SIZES.vocab, (32, graphs.SIZES.positions)).tolist()
# Where two ways of running each broken graph part.
DIFFER = {
    "1 / y": (PLAIN, BASIC),  # (1 / y) * z has become z / y
    "quantised twice": (PLAIN, BASIC),  # two roundings have become one
    "sum of weights": (PREFILL, STEP),  # the order of a float sum depends on its length
}


@pytest.mark.parametrize(("name", "ways"), DIFFER.items(), ids=DIFFER)
def test_bits_differ_where_a_rule_is_broken(
    exact: bytes, name: str, ways: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    edited = graphs.Edited(exact)
    BREAKS[name].edit(edited)
    assert any(
        (graphs.logits(edited.content, ids, **ways[0]) != graphs.logits(edited.content, ids, **ways[1])).any()
        for ids in TEXTS
    )


@pytest.mark.parametrize(
    "way",
    [PLAIN, BASIC, {"level": "extended"}, STEP, STEP | PLAIN, {"chunk": 5}, {"threads": 2}, {"threads": 2} | STEP],
    ids=str,
)
def test_bits_are_the_same_where_none_is(exact: bytes, way: dict[str, Any]) -> None:
    for ids in TEXTS:
        np.testing.assert_array_equal(graphs.logits(exact, ids, **way), graphs.logits(exact, ids))
