import hashlib
import io
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from llmzip.codec.block import choose_parameters, encode_lane
from llmzip.codec.grid import Grid
from llmzip.compressor import (
    WRITER_OFFSETS,
    CompressOptions,
    CompressSummary,
    compress,
    decompress,
    paths_of_known_tokens,
)
from llmzip.container.bytes import ByteReader
from llmzip.container.eps import Eps
from llmzip.container.layout import CodedFrame, End, StoredFrame, read_frame, read_preamble
from llmzip.errors import (
    DivergenceError,
    FormatError,
    IntegrityError,
    LlmzipError,
    UnsupportedError,
    UsageError,
    VocabularyError,
)
from llmzip.model.context import ContextPolicy, Plan
from llmzip.model.loader import load_variant, record_of
from llmzip.model.manifest import Variant
from llmzip.model.session import SessionOptions
from llmzip.model.source import LanguageModel
from support.paths import TINY, TINY_VARIANTS
from support.synthetic import SyntheticTokenizer, settings, synthetic_model

TEXT = b"abcdefghij the hen then inherits the end\n" * 4
MIXED = TEXT + b"\xff\xfe\x80" + "é€😀".encode() + b"xyz" * 9
EPS = ["0", "1e-6", "5e-5", "1e-3", "2e-2", "5e-1"]


def pack(plain: bytes, how: CompressOptions, model: LanguageModel | None = None) -> tuple[bytes, CompressSummary]:
    out = io.BytesIO()
    result = compress(io.BytesIO(plain), out, model or synthetic_model(), how)
    assert result.plain_bytes == len(plain)
    assert result.plain_sha256 == hashlib.sha256(plain).hexdigest()
    assert result.container_bytes == len(out.getvalue())
    return out.getvalue(), result


def unpack(container: bytes, model: LanguageModel | None = None) -> bytes:
    out = io.BytesIO()
    result = decompress(io.BytesIO(container), out, model or synthetic_model())
    assert result.plain_sha256 == hashlib.sha256(out.getvalue()).hexdigest()
    return out.getvalue()


def frames(container: bytes) -> list[CodedFrame | StoredFrame | End]:
    reader = ByteReader(io.BytesIO(container))
    preamble = read_preamble(reader)
    found = [read_frame(reader, preamble)]
    while not isinstance(found[-1], End):
        found.append(read_frame(reader, preamble))
    return found


plain_bytes = st.one_of(
    st.binary(max_size=120),
    st.text("ab the\nn0é€\udc80".replace("\udc80", "😀"), max_size=120).map(str.encode),
    st.builds(lambda text, noise: text.encode() + noise, st.text(max_size=40), st.binary(max_size=9)),
    st.integers(1, 300).map(lambda n: (b"abcdefghijklmnop the then" * 20)[:n]),
)


@given(plain_bytes, st.integers(1, 9), st.sampled_from([1, 2, 7, 40, 1 << 20]), st.sampled_from(EPS), st.data())
@hypothesis_settings(max_examples=50, deadline=None)
def test_any_bytes_come_back_from_any_reader_within_eps(
    plain: bytes, lanes: int, frame_bytes: int, eps: str, data: st.DataObject
) -> None:
    window = data.draw(st.integers(2, 40))
    how = settings(eps, lanes, frame_bytes, window, data.draw(st.integers(0, window - 1)))
    container, _ = pack(plain, how)
    bound = Eps.parse(eps).value
    for noise in (0.0, bound, -bound):
        assert unpack(container, synthetic_model(noise, max_batch=data.draw(st.sampled_from([None, 1, 2])))) == plain


@pytest.mark.parametrize("lanes", [1, 3, 6])
def test_results_say_what_was_written(lanes: int) -> None:
    container, result = pack(MIXED, settings(lanes=lanes))
    [frame, end] = frames(container)
    assert isinstance(frame, CodedFrame)
    assert isinstance(end, End)
    assert len(frame.streams) == min(lanes, result.tokens)
    assert result.stream_bytes == sum(map(len, frame.streams))
    out = io.BytesIO()
    back = decompress(io.BytesIO(container), out, synthetic_model())
    assert (back.tokens, back.tokens_sha256) == (result.tokens, result.tokens_sha256)
    assert back.plain_bytes == len(MIXED)
    assert result.stream_bytes == pytest.approx(result.entropy_bits / 8, rel=0.1)


def test_frames_are_coded_or_stored() -> None:
    container, result = pack(TEXT + bytes(range(255, 127, -1)) * 2, settings(frame_bytes=len(TEXT)))
    kinds = [type(frame) for frame in frames(container)]
    assert kinds == [CodedFrame, StoredFrame, StoredFrame, End]
    assert result.tokens == len(synthetic_model().tokenizer.encode(TEXT.decode()))
    assert unpack(container) == TEXT + bytes(range(255, 127, -1)) * 2


def test_nothing_is_much_larger_than_it_was() -> None:
    noise = random.Random(1).randbytes(5000)
    container, result = pack(noise, settings())
    assert len(container) <= len(noise) + 150
    assert (result.tokens, result.stream_bytes, result.entropy_bits) == (0, 0, 0.0)
    assert unpack(container) == noise
    assert [type(frame) for frame in frames(pack(b"", settings())[0])] == [End]


def test_one_text_run_is_not_listed() -> None:
    [frame, _] = frames(pack(TEXT, settings())[0])
    assert isinstance(frame, CodedFrame)
    assert len(frame.runs) == 0


def test_equal_logits_give_equal_bytes() -> None:
    batched, _ = pack(MIXED, settings(lanes=4))
    for max_batch, exact in ((1, True), (2, True), (None, False), (1, False)):
        model = synthetic_model(max_batch=max_batch, exact=exact)
        assert pack(MIXED, settings(lanes=4), model)[0] == batched


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_how_many_rows_are_worked_on_together_changes_nothing(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    expected = {lanes: pack(MIXED, settings(lanes=lanes)) for lanes in (1, 7)}
    for module in ("encode", "decode"):
        monkeypatch.setattr(f"llmzip.compressor.{module}.ROWS_AT_ONCE", rows)
    for lanes, (container, summary) in expected.items():
        again, found = pack(MIXED, settings(lanes=lanes))
        assert again == container
        assert found.entropy_bits == pytest.approx(summary.entropy_bits, rel=1e-12)
        assert unpack(container) == MIXED


def passes_of(
    tokens: int,
    lanes: int = 1,
    window: int = 512,
    *,
    exact: bool = False,
    plan_tolerance: float | None = None,
    eps: str = "1e-6",
) -> list[tuple[int, int]]:
    """Lanes and length of each pass in which a writer feeds so many tokens."""
    model = synthetic_model(exact=exact, plan_tolerance=plan_tolerance)
    pack(b"a" * tokens, settings(eps, lanes=lanes, window=window), model)
    return [(len(ids), len(ids[0])) for _, ids in model.source.passes]  # type: ignore[attr-defined]


def test_known_tokens_go_lane_by_lane_in_chunks_where_eps_covers_what_that_may_change() -> None:
    assert passes_of(300) == [(1, 1)] * 300
    assert passes_of(300, exact=True) == [(1, 256), (1, 44)]
    assert passes_of(31, lanes=2) == [(2, 1)] * 15 + [(1, 1)]
    assert passes_of(31, lanes=2, exact=True) == [(1, 16), (1, 15)]
    # A window's warm-up is a pass of its own in both.
    assert passes_of(300, window=270, exact=True) == [(1, 256), (1, 14), (1, 16), (1, 30)]
    assert passes_of(30, plan_tolerance=1e-3, eps="1e-3") == [(1, 30)]
    assert passes_of(30, plan_tolerance=1e-3, eps="9e-4") == [(1, 1)] * 30


def test_a_writer_at_eps_0_needs_an_exact_source() -> None:
    out = io.BytesIO()
    with pytest.raises(UnsupportedError, match="eps 0 relies on logits that are the same bits everywhere, but it was"):
        compress(io.BytesIO(TEXT), out, synthetic_model(exact=False), settings("0"))
    assert out.getvalue() == b""
    assert unpack(pack(TEXT, settings("0"))[0]) == TEXT


def test_a_reader_at_eps_0_needs_an_exact_source() -> None:
    """Even for what holds no row: what is refused must not depend on what is inside."""
    for plain in (TEXT, b"\xff", b""):
        container, _ = pack(plain, settings("0"))
        model, out = synthetic_model(exact=False), io.BytesIO()
        with pytest.raises(UnsupportedError, match="eps 0 relies on") as caught:
            decompress(io.BytesIO(container), out, model)
        assert "variant exact" in caught.value.hint
        assert out.getvalue() == b""
        assert model.source.passes == []  # type: ignore[attr-defined]


def test_every_flipped_byte_is_an_error_and_never_wrong_bytes() -> None:
    container, _ = pack(MIXED, settings(lanes=2, frame_bytes=120))
    generator = random.Random(2)
    for at in range(len(container)):
        for flip in (0x01, 0x80, generator.randrange(1, 256)):
            damaged = bytearray(container)
            damaged[at] ^= flip
            check_refused(bytes(damaged))


def test_every_truncation_is_an_error() -> None:
    container, _ = pack(MIXED, settings(lanes=2, frame_bytes=120))
    for length in range(len(container)):
        check_refused(container[:length])
    check_refused(container + b"\x00")


def test_frames_out_of_order_or_missing_are_an_error() -> None:
    plain = TEXT + TEXT[::-1]
    container, _ = pack(plain, settings(frame_bytes=len(TEXT)))
    first, second, end = (frame.to_bytes() for frame in frames(container))
    preamble = container[: len(container) - len(first + second + end)]
    assert unpack(preamble + first + second + end) == plain
    for wrong in (second + first + end, first + end, first + first + end):
        with pytest.raises(FormatError, match="SHA-256"):
            unpack(preamble + wrong)


def check_refused(damaged: bytes) -> None:
    """An error, and what was written until then is a beginning of the truth."""
    out = io.BytesIO()
    with pytest.raises((FormatError, IntegrityError, VocabularyError)) as caught:
        decompress(io.BytesIO(damaged), out, synthetic_model())
    assert caught.value.hint
    assert MIXED.startswith(out.getvalue())


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_reader_beyond_eps_is_told_so_and_gets_no_wrong_bytes(lanes: int) -> None:
    container, _ = pack(TEXT * 5, settings("1e-6", lanes))
    out = io.BytesIO()
    with pytest.raises(DivergenceError, match=r"further than eps 1e-6 from those of the writer \(synthetic-1/x64\)"):
        decompress(io.BytesIO(container), out, synthetic_model(noise=0.5))
    assert out.getvalue() == b""


def test_bytes_of_the_right_length_that_are_not_the_writer_s_never_come_out() -> None:
    class Other(SyntheticTokenizer):
        def decode(self, ids: list[int]) -> str:
            return super().decode(ids).replace("a", "b")

    container, _ = pack(TEXT, settings())
    out = io.BytesIO()
    with pytest.raises(DivergenceError, match="length or crc32 differ"):
        decompress(io.BytesIO(container), out, LanguageModel(**(vars(synthetic_model()) | {"tokenizer": Other()})))
    assert out.getvalue() == b""


def test_another_model_tokenizer_or_vocabulary_is_refused_with_both_hashes() -> None:
    container, _ = pack(TEXT, settings())
    model = synthetic_model()
    for change, what in (({"model_sha256": "ab" * 32}, "model"), ({"tokenizer_sha256": "ab" * 32}, "tokenizer")):
        other = LanguageModel(**(vars(model) | change))
        with pytest.raises(
            IntegrityError, match=f"{what} of SHA-256 {getattr(model, what + '_sha256')}, here is {'ab' * 32}"
        ):
            unpack(container, other)
        assert other.source.passes == []  # type: ignore[attr-defined]
    with pytest.raises(VocabularyError, match="vocabulary has"):
        unpack(container, synthetic_model(vocab_size=400))


@pytest.mark.parametrize(
    "how",
    [
        settings(lanes=257),
        settings(lanes=0),
        settings(frame_bytes=0),
        settings(frame_bytes=(1 << 24) + 1),
        settings(window=1),
    ],
)
def test_settings_that_no_container_holds(how: CompressOptions) -> None:
    out = io.BytesIO()
    with pytest.raises(UsageError):
        compress(io.BytesIO(TEXT), out, synthetic_model(), how)
    assert out.getvalue() == b""


def test_a_lossy_tokenizer_that_makes_more_tokens_than_bytes_is_stored() -> None:
    class Wordy:
        size = 5

        def encode(self, text: str) -> list[int]:
            return [1] * (2 * len(text))

        def decode(self, ids: list[int]) -> str:
            return "a" * (len(ids) // 2)

    model = synthetic_model()
    wordy = LanguageModel(**(vars(model) | {"tokenizer": Wordy()}))
    container, _ = pack(b"aaaa" * 50, settings(), wordy)
    assert [type(frame) for frame in frames(container)] == [StoredFrame, End]


def test_progress_counts_over_all_frames() -> None:
    told: list[tuple[int, int]] = []
    container = io.BytesIO()
    compress(
        io.BytesIO(TEXT * 3), container, synthetic_model(), settings(frame_bytes=len(TEXT)), lambda *at: told.append(at)
    )
    assert told
    assert told == sorted(told)
    assert all(done <= total for done, total in told)
    container.seek(0)
    told.clear()
    decompress(container, io.BytesIO(), synthetic_model(), lambda *at: told.append(at))
    assert told
    assert told == sorted(told)


def test_progress_does_not_go_back_after_a_frame_that_is_stored_after_all() -> None:
    # No character is followed by one that followed it before, which is what the source expects; then text that it predicts well. The
    # vocabulary is so large that not even raw bits are shorter than bytes.
    bad = bytes(32 + step * place % 95 for step in (2, 3, 4, 6, 7, 8, 9) for place in range(95))
    told: list[int] = []
    container = io.BytesIO()
    result = compress(
        io.BytesIO(bad + 4 * TEXT),
        container,
        synthetic_model(exact=False, vocab_size=600),
        settings(frame_bytes=len(bad)),
        lambda done, _: told.append(done),
    )
    assert [type(frame) for frame in frames(container.getvalue())] == [StoredFrame, CodedFrame, End]
    assert told == sorted(set(told))
    assert told[-1] > result.tokens


class Broken(io.RawIOBase):
    def read(self, _size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")

    def write(self, _content: object) -> int:
        raise OSError(28, "No space left on device")


def test_streams_that_fail_are_io_errors() -> None:
    model = synthetic_model()
    with pytest.raises(LlmzipError, match="Input/output") as caught:
        compress(Broken(), io.BytesIO(), model, settings())  # type: ignore[arg-type]
    assert caught.value.code == "io"
    with pytest.raises(LlmzipError, match="No space") as caught:
        compress(io.BytesIO(TEXT), Broken(), model, settings())  # type: ignore[arg-type]
    assert caught.value.code == "io"
    with pytest.raises(LlmzipError, match="Input/output") as caught:
        decompress(Broken(), io.BytesIO(), model)  # type: ignore[arg-type]
    assert caught.value.code == "io"


@pytest.fixture(scope="module", params=TINY_VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    return record_of(TINY).variant(request.param)


@pytest.fixture(scope="module")
def tiny(variant: Variant) -> LanguageModel:
    return load_variant(TINY, record_of(TINY), variant, SessionOptions(), verify=True)


@pytest.mark.parametrize("lanes", [1, 5])
def test_the_tiny_model_brings_everything_back(tiny: LanguageModel, lanes: int) -> None:
    sequence = "\n".join(map(str, range(1, 301))).encode()
    plain = sequence + b"\r\n\x00\xff\xfe" + "日本語 😀".encode() + b'{"a": [1, 2, 3]}'
    how = CompressOptions(Eps.parse("5e-5"), ContextPolicy(0, 128, 32), lanes)
    container, result = pack(plain, how, tiny)
    assert unpack(container, tiny) == plain
    assert len(container) < len(plain)
    assert result.entropy_bits > 0


def test_overhead_over_the_entropy_of_the_tiny_model(tiny: LanguageModel, variant: Variant) -> None:
    """At most +0.2 % at 1e-5, +0.4 % at 5e-5 and +1 % at 2e-4 on 10,000 tokens of generated text, beside the last byte of the stream; of an
    exact model at most +0.03 % at 0. Of graphs that 2e-4 is not meant for, +1.1 % at it: q4f16's logits depend on the processor, and one
    without AVX-512 gave 828 bytes for 818.25.
    """
    text = (TINY / "samples" / "mixed-100k.txt").read_text(encoding="utf-8")
    ids = np.array(tiny.tokenizer.encode(text)[:10_000])
    assert len(ids) == 10_000
    exact = [(0.0, 0.0003)] if tiny.source.exactness.exact else []
    for eps, most in (*exact, (1e-5, 0.002), (5e-5, 0.004), (2e-4, 0.01 if variant.eps == "2e-4" else 0.011)):
        [lane], entropy = paths_of_known_tokens(tiny, ContextPolicy(0, 512, 128), Plan(1, 384), ids, eps)
        choice = choose_parameters([lane], WRITER_OFFSETS, eps)
        stream = encode_lane(lane, Grid(choice.cells, WRITER_OFFSETS, eps), choice.block)
        assert 8 * (len(stream) - 1) <= entropy * (1 + most)
