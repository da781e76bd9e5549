"""The generators: the same text for the same seed, and text that is true. Owns what a kind promises."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from itertools import islice, pairwise

import pytest

from tiny_model.corpus import KINDS, SPLITS, document, documents, generate
from tiny_model.corpus.numbers import in_words
from tiny_model.corpus.sources import source_texts
from tiny_model.corpus.words import MONTHS, WEEKDAYS

NAMES = [kind.name for kind in KINDS]
SEEDS = ["a", "b", "c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_gives_one_text(name: str) -> None:
    text = generate(name, "a", 3000)
    assert text == generate(name, "a", 3000)
    assert text != generate(name, "b", 3000)
    assert len(text) >= 2900


def test_no_such_kind() -> None:
    with pytest.raises(KeyError):
        generate("novels", "a", 100)


def test_documents_differ_and_splits_share_none() -> None:
    taken = {split: set(islice(documents(split), 40)) for split in SPLITS}
    assert all(len(texts) == 40 for texts in taken.values())
    assert taken["train"].isdisjoint(taken["test"] | taken["validation"])
    assert document("train", 7) == next(islice(documents("train"), 7, None))
    with pytest.raises(ValueError, match="no split 'all'"):
        document("all", 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_sums_are_right(seed: str) -> None:
    lines = generate("arithmetic", seed, 4000).splitlines()
    python = {" x ": "*", " times ": "*", " / ": "//", " + ": "+", " - ": "-"}
    for line in lines:
        if squared := re.fullmatch(r"(\d+) squared is (\d+), \1 doubled is (\d+)", line):
            n, square, double = map(int, squared.groups())
            assert (n * n, 2 * n) == (square, double)
            continue
        found = re.fullmatch(r"(\d+)( x | times | / | \+ | - )(\d+) (?:=|is) (-?\d+)", line)
        assert found, line
        left, operator, right, result = found.groups()
        value = {"*": int(left) * int(right), "+": int(left) + int(right), "-": int(left) - int(right)}
        value["//"] = int(left) // int(right)
        assert value[python[operator]] == int(result), line


@pytest.mark.parametrize("seed", SEEDS)
def test_dates_exist_and_name_their_weekday(seed: str) -> None:
    text = generate("dates", seed, 4000)
    for day in re.findall(r"\d{4}-\d\d-\d\d", text):
        date.fromisoformat(day)
    long = re.findall(r"(\w+), (\d+) (\w+) (\d{4})", text)
    assert long
    for weekday, day, month, year in long:
        assert WEEKDAYS[date(int(year), MONTHS.index(month) + 1, int(day)).weekday()] == weekday


@pytest.mark.parametrize("seed", SEEDS)
def test_json_parses_and_ids_run_on(seed: str) -> None:
    rows = [json.loads(line) for line in generate("json", seed, 3000).splitlines()]
    for key in ("id", "seq", "order"):
        if key in rows[0]:
            assert all(b[key] - a[key] == 1 for a, b in pairwise(rows))


@pytest.mark.parametrize("seed", SEEDS)
def test_csv_rows_have_the_columns_of_their_head(seed: str) -> None:
    text = generate("csv", seed, 3000)
    rows = list(csv.reader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ","))
    assert len(rows) > 10
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_run_moves_by_one_step(seed: str) -> None:
    numbers = [int(line) for line in generate("sequence", seed, 3000).split("\n")]
    assert len({b - a for a, b in pairwise(numbers)}) == 1


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (20, "twenty"),
        (99, "ninety-nine"),
        (100, "one hundred"),
        (410, "four hundred ten"),
        (1000, "one thousand"),
        (40_031, "forty thousand thirty-one"),
        (999_999, "nine hundred ninety-nine thousand nine hundred ninety-nine"),
    ],
)
def test_number_names(number: int, name: str) -> None:
    assert in_words(number) == name


def test_number_names_stand_beside_their_digits() -> None:
    found = re.findall(r"^(\d+) ([a-z -]+)$", generate("number-words", "a", 6000), re.MULTILINE)
    assert found
    assert all(in_words(int(digits)) == words for digits, words in found)


def test_sources_are_this_project_without_its_models() -> None:
    texts = source_texts()
    if not texts:
        pytest.skip("this is no git checkout")
    assert not any('"model_type": "llama"' in text and '"vocab_size": 1536' in text for text in texts)
    assert all(len(text) <= 200_000 for text in texts)
