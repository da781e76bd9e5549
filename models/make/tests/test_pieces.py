"""The held-out texts: their sizes, and that the committed ones are the generated ones."""

from __future__ import annotations

import pytest

from tiny_model.corpus import KINDS
from tiny_model.paths import TINY
from tiny_model.pieces import MIXED_BYTES, PIECE_BYTES, cut, mixed, pieces, samples


def test_one_piece_per_predictable_kind() -> None:
    found = pieces()
    assert list(found) == [kind.name for kind in KINDS if kind.predictable]
    for text in found.values():
        assert PIECE_BYTES * 0.9 < len(text.encode()) <= PIECE_BYTES


@pytest.mark.parametrize(
    ("text", "size", "wanted"), [("ab\ncd\nef", 7, "ab\ncd\n"), ("abc", 5, "abc"), ("abcdef", 4, "abcd")]
)
def test_cut_keeps_whole_lines(text: str, size: int, wanted: str) -> None:
    assert cut(text, size) == wanted


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_mixed_texts_have_their_size_in_bytes(size: int) -> None:
    assert size in MIXED_BYTES.values()
    assert len(mixed(size).encode()) == size


def test_committed_samples_are_the_generated_ones() -> None:
    found = {path.name: path.read_bytes() for path in (TINY / "samples").iterdir()}
    assert found == samples()
