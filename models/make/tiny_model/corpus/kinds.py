"""The table of kinds: name, generator, share of the training text. Owns no generator itself."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from . import arithmetic, dates, noise, numbers, prose, records


@dataclass(frozen=True)
class Kind:
    """One kind of text. `generator(rng, size)` gives at least `size` characters; `share` is relative.

    `predictable` is false for noise, which is in the training text so that the model knows what it
    cannot know.
    """

    name: str
    generator: Callable[[Random, int], str]
    share: float
    predictable: bool = True


KINDS: tuple[Kind, ...] = (
    Kind("counting", numbers.short_digit_runs, 18),
    Kind("sequence", numbers.long_digit_run, 8),
    Kind("number-words", numbers.word_runs, 14),
    Kind("dates", dates.date_runs, 11),
    Kind("arithmetic", arithmetic.tables, 16),
    Kind("json", records.json_lines, 9),
    Kind("csv", records.csv_rows, 9),
    Kind("log", records.log_lines, 9),
    Kind("prose", prose.prose, 9),
    Kind("noise", noise.noise, 2, predictable=False),
)


def generate(name: str, seed: str, size: int) -> str:
    """Text of the kind `name`, at least `size` characters, a function of the arguments alone.

    Raises KeyError when there is no such kind.
    """
    kind = {kind.name: kind for kind in KINDS}[name]
    return kind.generator(Random(f"{name}/{seed}"), size)
