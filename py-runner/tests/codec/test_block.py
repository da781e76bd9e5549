import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmzip.codec.arithmetic_coder import BitEncoder
from llmzip.codec.block import LaneDecoder, candidates, choose_parameters, encode_lane
from llmzip.codec.grid import Grid, guard_of
from llmzip.codec.tree import RowTrees
from llmzip.errors import FormatError
from support import reference
from support.lanes import decode_lane, path_of
from support.synthetic import SyntheticSource

EPS = [0.0, 1e-6, 5e-5, 1e-3, 2e-2, 0.9]


def draw_lane(seed: int, tokens: int, vocab_size: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows `[tokens, V]` and ids `[tokens]` that the rows more or less predict."""
    source, generator = SyntheticSource(vocab_size, noise), np.random.default_rng(seed)
    source.reset(1)
    rows, ids, last = [], [], 0
    for _ in range(tokens):
        rows.append(source.feed(np.array([[last]]))[0, 0])
        last = (last + 1) % vocab_size if generator.random() < 0.6 else int(generator.integers(vocab_size))
        ids.append(last)
    return np.array(rows), np.array(ids, np.int64)


def entropy_of(rows: np.ndarray, ids: np.ndarray) -> float:
    return float(-path_of(rows, ids, 0)[1].sum() / np.log(2))


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("vocab_size", [2, 3, 57])
def test_streams_and_choices_match_the_reference(eps: float, vocab_size: int) -> None:
    lanes = [draw_lane(seed, 17 + seed, vocab_size) for seed in range(2)]
    paths = [path_of(rows, ids, guard_of(eps))[0] for rows, ids in lanes]
    choice = choose_parameters(paths, 32, eps)
    assert choice == reference.choose([(rows.tolist(), ids.tolist()) for rows, ids in lanes], 32, eps)
    grid = Grid(choice.cells, 32, eps)
    for (rows, ids), lane in zip(lanes, paths, strict=True):
        stream = encode_lane(lane, grid, choice.block)
        assert stream == reference.lane(rows.tolist(), ids.tolist(), 32, eps, *choice)[0]
        assert decode_lane(stream, rows, grid, choice.block) == ids.tolist()


@given(
    st.integers(0, 1000),
    st.integers(1, 40),
    st.integers(2, 300),
    st.sampled_from(EPS),
    st.integers(2, 4096),
    st.integers(1, 64),
    st.integers(1, 64),
)
@settings(max_examples=60, deadline=None)
def test_a_reader_within_eps_decodes_any_choice(
    seed: int, tokens: int, vocab_size: int, eps: float, cells: int, block: int, offsets: int
) -> None:
    """Whatever N, B and K a writer takes, and however the reader's logits lie within eps."""
    rows, ids = draw_lane(seed, tokens, vocab_size)
    grid = Grid(cells, offsets, eps)
    stream = encode_lane(path_of(rows, ids, guard_of(eps))[0], grid, block)
    for noise in (0.0, eps, -eps):
        noisy, _ = draw_lane(seed, tokens, vocab_size, noise)
        assert decode_lane(stream, noisy, grid, block) == ids.tolist()


def test_a_reader_far_beyond_eps_is_not_what_the_codec_promises() -> None:
    rows, ids = draw_lane(3, 200, 57)
    grid = Grid(48, 32, 1e-5)
    stream = encode_lane(path_of(rows, ids, guard_of(1e-5))[0], grid, 64)
    noisy, _ = draw_lane(3, 200, 57, noise=0.05)
    try:
        assert decode_lane(stream, noisy, grid, 64) != ids.tolist()
    except FormatError as error:
        assert "stream" in error.message  # noqa: PT017 - both ends are right, only silence would not be


@pytest.mark.parametrize(
    ("eps", "cells", "blocks"),
    [
        (0.0, [1536, 2048], [64, 128, 256, 512, 1024, 2048, 4096]),
        (1e-5, [32, 48, 64], [64, 128, 256, 512, 1024, 2048, 4096]),
        (5e-5, [24, 32, 48], [64, 128, 256, 512, 1024, 2048, 4096]),
        (2e-2, [3, 4, 6], [4, 8, 16, 32, 64]),
        (0.9, [2, 3], [4, 8, 16, 32, 64]),
        (1e-12, [1536, 2048], [64, 128, 256, 512, 1024, 2048, 4096]),
    ],
)
def test_candidates(eps: float, cells: list[int], blocks: list[int]) -> None:
    assert candidates(eps) == [(n, b) for n in cells for b in blocks]


def test_a_raw_id_outside_the_vocabulary_is_an_error() -> None:
    encoder = BitEncoder()
    encoder.encode(1, 32768)  # K is 1: this one is the escape
    for bit in (1, 1):
        encoder.encode(bit, 32768)
    with pytest.raises(FormatError, match="id 3, the vocabulary has 3"):
        decode_lane(encoder.finish(), np.zeros((1, 3)), Grid(4, 1, 0.01), 4)


def test_an_id_that_was_said_not_to_be_is_an_error() -> None:
    """The stream says that the token is not the leader, then names the leader."""
    grid, trees = Grid(4, 1, 0.01), RowTrees(1, 4)
    trees.take(np.array([[0.0, 0.0, 0.0, 5.0]]))
    encoder = BitEncoder()
    encoder.encode(0, 32768)  # offset 0
    encoder.encode(0, grid.probabilities(0)[grid.scalar_cell(float(trees.leader_log_odds[0]), 0) + 1])
    for v in trees.path_log_odds(np.array([0]), np.array([3]), with_leader=False)[0].tolist():
        encoder.encode(1, grid.probabilities(0)[grid.scalar_cell(v, 0) + 1])
    decoder = LaneDecoder(encoder.finish(), grid, 4)
    with pytest.raises(FormatError, match="id 3"):
        decoder.decode(next(iter(trees)))


@pytest.mark.parametrize("vocab_size", [57, 300])
def test_overhead_over_the_entropy_is_small(vocab_size: int) -> None:
    """Beside the last bytes of a stream. What it is on a trained model's rows is tested with the model."""
    rows, ids = draw_lane(11, 4000, vocab_size)
    for eps, most in ((1e-5, 0.004), (5e-5, 0.006), (1e-3, 0.03)):
        lane, _ = path_of(rows, ids, guard_of(eps))
        choice = choose_parameters([lane], 32, eps)
        stream = encode_lane(lane, Grid(choice.cells, 32, eps), choice.block)
        assert 8 * len(stream) <= entropy_of(rows, ids) * (1 + most) + 32
