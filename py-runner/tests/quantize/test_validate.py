"""The measures of a validation, its bounds and its text: held to numbers that are worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import llmzip.quantize.validate.text as text_module
from llmzip.errors import UsageError, VocabularyError
from llmzip.model.signature import CacheSlot
from llmzip.quantize.source import CheckpointFolder, read_folder
from llmzip.quantize.validate.baseline import Baseline
from llmzip.quantize.validate.bounds import BoundError, Bounds
from llmzip.quantize.validate.measures import Measured, measure
from llmzip.quantize.validate.text import MOST_TOKENS, WINDOW, longest_context, start_token, validation_text
from support.paths import TINY

if TYPE_CHECKING:
    from llmzip.quantize.drive import Caches, Driver, Ids, Logits

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])
IDS = np.array([0, 2], np.int64)
CACHE = np.arange(1, 9, dtype=np.float32).reshape(1, 2, 4)


class Graph:
    """A driver whose answers are known."""

    def __init__(self, probabilities: Any, cache: Any = CACHE, kind: str = "float32") -> None:
        slots = tuple(
            CacheSlot(f"past_key_values.0.{part}", f"present.0.{part}", kind, (0, 1, 0, 4)) for part in ("key", "value")
        )
        self.signature = SimpleNamespace(caches=slots)
        self._logits = np.log(probabilities)[None].astype(np.float32)
        self._caches = {slot.name: cache[None] for slot in slots}

    def empty(self, _batch: int) -> Caches:
        return {}

    def feed(self, _ids: Ids, _caches: Caches, _past: int) -> tuple[Logits, Caches]:
        return self._logits, self._caches


def baseline(folder: Path, cache: Any = CACHE) -> Baseline:
    # Not normalised: logits may be shifted.
    np.save(folder / "logits-0.npy", (np.log(PROBABILITIES) + 3).astype(np.float32))
    for part in ("key", "value"):
        np.save(folder / f"{part}-0-0.npy", cache)
    return Baseline(folder, (IDS,), {})


def measured(graph: Graph, of: Baseline) -> Measured:
    return measure(cast("Driver", graph), of)


def test_a_graph_that_is_the_baseline_has_no_error(tmp_path: Path) -> None:
    found = measured(Graph(PROBABILITIES), baseline(tmp_path))
    assert np.abs(found.kl).max() < 1e-6
    assert found.difference.max() < 1e-6
    assert found.same_top.tolist() == [1, 1]
    assert [(each.key, each.value) for each in found.layers] == [(0, 0)]
    # Of two ids one is predicted: the second, of probability 1/4.
    assert found.tokens == 1
    assert found.bits == pytest.approx(2, abs=1e-6)
    assert found.baseline_bits == pytest.approx(2, abs=1e-6)


def test_errors_are_those_of_the_formulas(tmp_path: Path) -> None:
    graph = Graph(np.array([[0.25, 0.25, 0.5], [0.125, 0.75, 0.125]]), CACHE * 1.5)
    found = measured(graph, baseline(tmp_path))
    # Halves for quarters and the other way round: 1/2 * 1 - 1/4 * 1 bits.
    assert found.kl == pytest.approx([0.25, 0], abs=1e-6)
    assert found.difference == pytest.approx([math.log(2), 0], abs=1e-6)
    assert found.token_difference == pytest.approx([math.log(2)], abs=1e-6)
    assert found.same_top.tolist() == [0, 1]
    # Of log-probs of 1/2, 1/4, 1/4: half are log 2 apart from the other half. Of 1/8, 3/4, 1/8: log 6, a quarter from three quarters.
    spread = [math.log(2) ** 2 / 4, math.log(6) ** 2 * 3 / 16]
    assert found.spread == pytest.approx(spread, abs=1e-6)
    assert found.noise == pytest.approx(2 * math.log(2) * 0.125 / (sum(spread) / 2), abs=1e-5)
    assert (found.bits, found.baseline_bits) == pytest.approx((1, 2), abs=1e-6)
    assert [(each.key, each.value) for each in found.layers] == [(0.5, 0.5)]
    told = found.summary(4)
    assert told["kl_bits"]["mean"] == pytest.approx(0.125, abs=1e-6)
    assert told["bits_per_byte"] == pytest.approx({"baseline": 0.5, "graph": 0.25}, abs=1e-6)
    assert told["largest_log_prob_difference"]["at_position"] == 0
    assert told["layers"]["worst"] == 0


def test_a_window_of_the_baselines_cache_is_compared_with_the_end_of_the_graphs(tmp_path: Path) -> None:
    short = baseline(tmp_path, CACHE[:, -1:])
    assert [(each.key, each.value) for each in measured(Graph(PROBABILITIES), short).layers] == [(0, 0)]


def test_caches_of_integers_have_no_layer_errors(tmp_path: Path) -> None:
    assert measured(Graph(PROBABILITIES, kind="uint8"), baseline(tmp_path)).layers == ()


def test_bounds_hold_from_both_sides(tmp_path: Path) -> None:
    found = measured(Graph(np.array([[0.25, 0.25, 0.5], [0.125, 0.75, 0.125]])), baseline(tmp_path))
    Bounds(mean_kl=0.126).hold_quantized("q4", found)
    with pytest.raises(BoundError, match=r"q4 is 0\.125 bits of mean KL from the checkpoint, more than 0\.124"):
        Bounds(mean_kl=0.124).hold_quantized("q4", found)
    Bounds(float_difference=0.7).hold_float(found)
    with pytest.raises(BoundError, match=r"differs by 0\.69 nats"):
        Bounds(float_difference=0.69).hold_float(found)


@pytest.mark.parametrize(
    ("spread", "kl", "largest"),
    [
        # Flat: three quarters of the spread, in nats, halved and in bits.
        (0.4, 0.1, 0.75 * 0.4 / 2 / math.log(2)),
        (0.4, 0.25, 0.75 * 0.4 / 2 / math.log(2)),
        # Sharp: half a bit.
        (4.0, 0.49, 0.5),
        (4.0, 0.51, 0.5),
        # Nothing to tell: what rounding leaves.
        (0.0, 0.005, 0.01),
        (0.0, 0.02, 0.01),
    ],
)
def test_the_bound_grows_with_the_spread_up_to_half_a_bit(spread: float, kl: float, largest: float) -> None:
    row = np.array([1.0])
    found = Measured(1, 1, 1, row * kl, row * spread, row, row, row)
    assert Bounds().largest_kl(found) == pytest.approx(largest)
    if kl <= largest:
        Bounds().hold_quantized("q4", found)
    else:
        with pytest.raises(BoundError, match=f"more than {largest:.3g}"):
            Bounds().hold_quantized("q4", found)
    # A bound that was given is the bound.
    assert Bounds(mean_kl=3).largest_kl(found) == 3


def test_what_is_no_number_is_over_every_bound(tmp_path: Path) -> None:
    found = measured(Graph(np.array([[np.nan, 0.5, 0.5], [0.1, 0.8, 0.1]])), baseline(tmp_path))
    with pytest.raises(BoundError):
        Bounds(mean_kl=1e9).hold_quantized("q4", found)
    with pytest.raises(BoundError):
        Bounds(float_difference=1e9).hold_float(found)


def test_the_shipped_text_is_cut_into_windows_that_begin_with_the_start_token() -> None:
    text = validation_text(read_folder(TINY, "tiny"), TINY / "tokenizer.json", None, 0)
    assert text.name == "text.txt"
    assert {int(window[0]) for window in text.windows} == {0}
    assert {len(window) for window in text.windows[:-1]} == {WINDOW}
    assert 2 <= len(text.windows[-1]) <= WINDOW
    assert text.size == len((Path(text_module.__file__).with_name("text.txt")).read_bytes())


def test_a_text_is_cut_where_it_is_longer_than_is_used(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("1\n2\n3\n" * 20_000 + "é" * 500_000)
    text = validation_text(read_folder(TINY, "tiny"), TINY / "tokenizer.json", tmp_path / "long.txt", 0)
    assert sum(len(window) - 1 for window in text.windows) == MOST_TOKENS
    assert text.size < 3 * MOST_TOKENS


@pytest.mark.parametrize(("content", "words"), [(b"", "too short"), (b"\xff\xfe\x00" * 9, "no UTF-8 text")])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "it").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        validation_text(read_folder(TINY, "tiny"), TINY / "tokenizer.json", tmp_path / "it", 0)


def test_a_tokenizer_with_more_ids_than_the_model_is_refused() -> None:
    source = CheckpointFolder(TINY, {"vocab_size": 7}, (), "it")
    with pytest.raises(VocabularyError, match="a vocabulary of 7"):
        validation_text(source, TINY / "tokenizer.json", None, 0)


def test_the_start_token_and_the_context_are_read_as_families_name_them() -> None:
    assert start_token({"bos_token_id": 3, "eos_token_id": 4}) == 3
    assert start_token({"bos_token_id": None, "eos_token_id": [5, 6]}) == 5
    assert start_token({}) == 0
    assert longest_context({"n_positions": 9}) == 9
    assert longest_context({}) is None
