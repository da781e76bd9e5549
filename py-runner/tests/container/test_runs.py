import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmzip.container.layout import Run, RunKind, Runs
from llmzip.container.runs import join_runs, split_runs
from support.synthetic import SyntheticTokenizer

TEXT, LITERAL = RunKind.TEXT, RunKind.LITERAL
TOKENIZER = SyntheticTokenizer()


def check(plain: bytes, *runs: tuple[RunKind, int]) -> None:
    split = split_runs(plain, TOKENIZER)
    assert list(split.runs) == [Run(*run) for run in runs]
    assert join_runs(split.runs, split.ids, split.literals, TOKENIZER, len(plain)) == plain


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(str.encode),
        st.text("aé<|end>€ 0", max_size=99).map(str.encode),
    )
)
def test_any_bytes_come_back(plain: bytes) -> None:
    split = split_runs(plain, TOKENIZER)
    assert join_runs(split.runs, split.ids, split.literals, TOKENIZER, len(plain)) == plain
    assert sum(run.length for run in split.runs if run.kind == TEXT) == len(split.ids)
    assert sum(run.length for run in split.runs if run.kind == LITERAL) == len(split.literals)
    assert all(run.length for run in split.runs)
    # Adjacent literals are merged.
    assert not any(a.kind == b.kind == LITERAL for a, b in itertools.pairwise(split.runs))


def test_text_and_literals() -> None:
    check(b"")
    check(b"abc", (TEXT, 3))
    check(b"the<|end|>", (TEXT, 3))
    check(b"\xff", (LITERAL, 1))
    check(b"ab\xff\xfecd", (TEXT, 2), (LITERAL, 2), (TEXT, 2))
    check("é".encode(), (TEXT, 1))


def test_text_that_the_tokenizer_loses_is_halved_until_it_is_one_character() -> None:
    check("€".encode(), (LITERAL, 3))
    check("€€".encode(), (LITERAL, 6))
    # abcd€ef: abc | d€ef -> d€ | ef -> d | €
    check("abcd€ef".encode(), (TEXT, 3), (TEXT, 1), (LITERAL, 3), (TEXT, 2))


@pytest.mark.parametrize(
    ("plain", "literal"),
    [
        (b"\xc0\xaf", 2),  # overlong
        (b"\xe0\x9f\xbf", 3),
        (b"\xed\xa0\x80", 3),  # a surrogate
        (b"\xf4\x90\x80\x80", 4),  # beyond U+10FFFF
        (b"\xf5\x80\x80\x80", 4),
        (b"\xe2\x82", 2),  # truncated
        (b"\x80", 1),
    ],
)
def test_ill_formed_sequences_are_literal_byte_by_byte(plain: bytes, literal: int) -> None:
    check(b"a" + plain + b"b", (TEXT, 1), (LITERAL, literal), (TEXT, 1))


def test_a_truncated_sequence_ends_where_a_character_begins() -> None:
    check(b"\xe2\x82a\xf0\x9f\x98", (LITERAL, 2), (TEXT, 1), (LITERAL, 3))


def test_python_agrees_on_what_is_well_formed() -> None:
    for first in range(0x80, 0x100):
        for second in (0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0):
            for tail in (b"", b"\x80", b"\xbf\x80"):
                plain = bytes([first, second]) + tail
                try:
                    plain.decode("utf-8")
                    well_formed = True
                except UnicodeDecodeError:
                    well_formed = False
                split = split_runs(plain, Everything())
                assert (list(split.runs) == [Run(TEXT, 1)]) == well_formed


class Everything:
    """A tokenizer for which any text is one token."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def encode(self, text: str) -> list[int]:
        self._texts.append(text)
        return [len(self._texts) - 1]

    def decode(self, ids: list[int]) -> str:
        return "".join(self._texts[i] for i in ids)


def test_long_text_needs_no_deep_matching() -> None:
    plain = "aé€😀".encode() * 200_000
    assert split_runs(plain, Everything()).runs == Runs([Run(TEXT, 1)])


def test_joining_stops_beyond_the_limit() -> None:
    runs = Runs([Run(TEXT, 2), Run(LITERAL, 1), Run(TEXT, 2)])
    ids = TOKENIZER.encode("abcd")
    assert join_runs(runs, ids, b"-", TOKENIZER, 5) == b"ab-cd"
    assert join_runs(runs, ids, b"-", TOKENIZER, 1) == b"ab"
