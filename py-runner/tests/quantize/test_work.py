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


@pytest.mark.parametrize("words", [["--out", "NEW"], ["--stand-in", "NAME"]])
@pytest.mark.parametrize("work", [Work.INSTALL, Work.EXACT, Work.WIDEN])
def test_a_folder_is_no_part_of_other_work(work: Work, words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0]} does nothing for {work.value}"):
        work_of(parsed([*ASKED_BY[work], *words]))


def test_every_option_is_in_the_table_and_here() -> None:
    names = set(vars(parsed([])))
    assert set().union(*TAKES.values()) == names - {"quiet"}
    nothing = vars(parsed([]))
    told = {name for words, _ in OPTIONS for name, value in vars(parsed(words)).items() if value is not nothing[name]}
    assert told == names - DECIDE
