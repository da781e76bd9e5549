import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.codec.arithmetic_coder import AdaptiveBit, BitDecoder, BitEncoder, StreamEndError
from support import reference

probabilities = st.one_of(st.sampled_from([1, 2, 32767, 32768, 32769, 65534, 65535]), st.integers(1, 65535))
decisions = st.lists(st.tuples(st.integers(0, 1), probabilities), max_size=400)


def check(steps: list[tuple[int, int]]) -> bytes:
    """Both encoders give the same bytes, and the decoder gives the bits back."""
    slow, fast = reference.Encoder(), BitEncoder()
    for bit, p in steps:
        slow.encode(bit, p)
        fast.encode(bit, p)
    stream = fast.finish()
    assert stream == slow.finish()
    decoder = BitDecoder(stream)
    assert [decoder.decode(p) for _, p in steps] == [bit for bit, _ in steps]
    # The end costs one bit, the filling of the last byte seven at most; splitting rounds a little.
    cost = -sum(math.log2((p if bit else 65536 - p) / 65536) for bit, p in steps)
    assert 8 * len(stream) <= cost + 8 + 1e-4 * len(steps)
    return stream


@given(decisions)
def test_any_bits_come_back_and_match_the_reference(steps: list[tuple[int, int]]) -> None:
    check(steps)


@pytest.mark.parametrize("p", [1, 255, 32768, 65000, 65535])
def test_long_streams(p: int) -> None:
    generator = random.Random(p)
    check([(int(generator.randrange(65536) < p), p) for _ in range(20_000)])


def test_improbable_bits_cost_sixteen_bits_each() -> None:
    assert len(check([(1, 1)] * 100)) in range(200, 202)


def test_pending_bits_are_put_when_the_interval_straddles_the_middle() -> None:
    # Halving around the middle keeps the first bit open for long.
    check([(1, 32768), *[(0, 21845), (1, 43690)] * 50])


def test_nothing_coded_is_one_byte() -> None:
    assert check([]) == b"\x80"


def test_a_stream_that_ends_too_early_is_an_error() -> None:
    stream = check([(i & 1, 32768) for i in range(200)])
    decoder = BitDecoder(stream[:10])
    with pytest.raises(StreamEndError, match="too early"):
        all(decoder.decode(32768) in (0, 1) for _ in range(200))


def test_exactly_32_bits_past_the_end_are_zeros() -> None:
    decoder = BitDecoder(b"\x55")
    # Each of these takes one bit in; 24 past the end were taken at the start.
    for _ in range(8):
        decoder.decode(32768)
    with pytest.raises(StreamEndError):
        decoder.decode(32768)


def test_adaptive_bit_follows_its_history_and_forgets() -> None:
    adaptive, slow = AdaptiveBit(), reference.Adaptive()
    generator = random.Random(1)
    for _ in range(2000):
        assert adaptive.probability() == slow.p
        bit = int(generator.random() < 0.1)
        adaptive.update(bit)
        slow.update(bit)
    assert AdaptiveBit().probability() == 32768
    assert adaptive.zeros + adaptive.ones < 255
