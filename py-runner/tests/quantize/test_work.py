"""Options of `quantize` that would do nothing are refused, whatever the work is."""

from __future__ import annotations

import argparse

import pytest

from llmzip.errors import UsageError
from llmzip.quantize_command import add_arguments
from llmzip.quantize_work import TAKES, Work, work_of

ASKED_BY = {
    Work.INSTALL: ["--install"],
    Work.EXACT: ["--exact", "FOLDER"],
    Work.WIDEN: ["--widen", "FILE"],
    Work.STAND_IN: ["--stand-in", "NAME", "--out", "NEW"],
    Work.MODEL: ["FOLDER", "--out", "NEW"],
}
# Words that give an option, and the kinds of work that it has an effect on. Of numbers also 0, of switches also the negative.
BOTH = {Work.STAND_IN, Work.MODEL}
OPTIONS: list[tuple[list[str], set[Work]]] = [
    (["--revision", "main"], {Work.MODEL}),
    (["--preset", "llmzip"], BOTH),
    (["--bits", "8"], BOTH),
    (["--group-size", "32"], BOTH),
    (["--embeddings"], BOTH),
    (["--no-embeddings"], BOTH),
    (["--scale", "max-abs"], BOTH),
    (["--zero-points"], BOTH),
    (["--activations", "exact"], BOTH),
    (["--split-mib", "5"], BOTH),
    (["--exporter", "auto"], BOTH),
    (["--start-token", "0"], BOTH),
    (["--licence", "unknown"], BOTH),
    (["--validate", "FILE"], BOTH),
    (["--no-validate"], BOTH),
    (["--max-kl", "0"], BOTH),
    (["--compare-scales"], BOTH),
    (["--seed", "0"], {Work.STAND_IN}),
    (["--tokenizer", "FOLDER"], {Work.STAND_IN}),
    (["--positions", "4"], {Work.EXACT}),
    (["-o", "FILE"], {Work.EXACT, Work.WIDEN}),
    (["--force"], {Work.EXACT, Work.WIDEN, *BOTH}),
    (["--quiet"], set(Work)),
]
DECIDE = {"source", "out", "stand_in", "install", "exact", "widen"}


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("work", Work)
@pytest.mark.parametrize(("words", "takes"), OPTIONS, ids=[words[0] for words, _ in OPTIONS])
def test_an_option_is_taken_where_it_does_something(work: Work, words: list[str], takes: set[Work]) -> None:
    options = parsed([*ASKED_BY[work], *words])
    if work in takes:
        assert work_of(options) is work
        return
    with pytest.raises(UsageError) as caught:
        work_of(options)
    assert caught.value.message == f"{words[0]} does nothing for {work.value}"
    for each in takes:
        assert each.value in caught.value.hint


# The options for weights of few bits, and whether --compare-scales has a use for them.
FEW_BITS = [
    (["--preset", "llmzip"], True),
    (["--bits", "8"], True),
    (["--group-size", "32"], True),
    (["--embeddings"], True),
    (["--no-embeddings"], True),
    (["--scale", "max-abs"], False),
    (["--zero-points"], False),
    (["--split-mib", "5"], False),
]


@pytest.mark.parametrize("work", [Work.STAND_IN, Work.MODEL])
@pytest.mark.parametrize(("words", "is_compared"), FEW_BITS, ids=[words[0] for words, _ in FEW_BITS])
def test_what_is_for_few_bits_does_nothing_for_exact_alone(work: Work, words: list[str], *, is_compared: bool) -> None:
    exact = ["--activations", "exact"]

    def check(*more: list[str], taken: bool) -> None:
        options = parsed([*ASKED_BY[work], *words, *(word for each in more for word in each)])
        if taken:
            assert work_of(options) is work
            return
        with pytest.raises(UsageError) as caught:
            work_of(options)
        assert caught.value.message == f"{words[0]} does nothing for --activations exact alone"
        assert "--activations fp16 or fp32" in caught.value.hint

    check(exact, taken=False)
    check(exact, exact, taken=False)
    check(exact, ["--compare-scales"], taken=is_compared)
    check(exact, ["--activations", "fp32"], taken=True)
    check(["--activations", "fp16"], taken=True)
    check(taken=True)


def test_other_options_have_an_effect_on_exact_alone() -> None:
    few = {words[0] for words, _ in FEW_BITS}
    others = [words for words, takes in OPTIONS if Work.MODEL in takes and words[0] not in few]
    for words in others:
        assert work_of(parsed([*ASKED_BY[Work.MODEL], "--activations", "exact", *words])) is Work.MODEL


@pytest.mark.parametrize("words", [["--out", "NEW"], ["--stand-in", "NAME"]])
@pytest.mark.parametrize("work", [Work.INSTALL, Work.EXACT, Work.WIDEN])
def test_a_folder_is_no_part_of_other_work(work: Work, words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0]} does nothing for {work.value}"):
        work_of(parsed([*ASKED_BY[work], *words]))


def test_every_option_is_in_the_table_and_here() -> None:
    nothing = vars(parsed([]))
    # `--quiet` is every command's, and there only where it is given.
    names = set(nothing) - {"quiet"}
    assert set().union(*TAKES.values()) == names
    told = {
        name for words, _ in OPTIONS for name, value in vars(parsed(words)).items() if value is not nothing.get(name)
    }
    assert told - {"quiet"} == names - DECIDE
