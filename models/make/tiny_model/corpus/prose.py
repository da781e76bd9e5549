"""Template prose in English. Owns the grammar; the vocabulary is in `words`."""

from random import Random

from .draw import until
from .words import (
    DEEDS,
    JOINERS,
    MANNERS,
    MOTIONS,
    NAMES,
    PEOPLE,
    PLACES,
    QUALITIES,
    SITES,
    THINGS,
    TIMES,
)


def _a(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" and not phrase.startswith("un") else "a ") + phrase


class _Scene:
    """One paragraph's people and places: what is named once is likely to be named again."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._name = rng.choice(NAMES)
        self._person = rng.choice(PEOPLE)
        self._site = rng.choice(SITES)
        self._thing = rng.choice(THINGS)
        self._pronoun = rng.choice(("he", "she", "they"))

    def _who(self) -> str:
        rng = self._rng
        return rng.choices(
            (self._name, f"the {self._person}", self._pronoun, f"the {rng.choice(QUALITIES)} {rng.choice(PEOPLE)}"),
            weights=(30, 20, 35, 15),
        )[0]

    def _what(self) -> str:
        rng = self._rng
        if rng.random() < 0.3:
            return f"the {self._thing}"
        if rng.random() < 0.4:
            return f"the {rng.choice(THINGS)}"
        return _a(f"{rng.choice(QUALITIES)} {rng.choice(THINGS)}")

    def _where(self) -> str:
        rng = self._rng
        if rng.random() < 0.5:
            return f"the {self._site}"
        return rng.choice(PLACES) if rng.random() < 0.3 else f"the {rng.choice(SITES)}"

    def _clause(self) -> str:  # noqa: PLR0911 - one return per form
        rng = self._rng
        form = rng.randrange(7)
        if form == 0:
            return f"{self._who()} {rng.choice(DEEDS)} {self._what()} in {self._where()}"
        if form == 1:
            return f"{self._who()} {rng.choice(MOTIONS)} to {self._where()} {rng.choice(TIMES)}"
        if form == 2:
            return f"{self._who()} {rng.choice(MANNERS)} {rng.choice(DEEDS)} {self._what()}"
        if form == 3:
            return f"there was {_a(rng.choice(QUALITIES))} {rng.choice(THINGS)} near {self._where()}"
        if form == 4:
            return f"the {self._thing} was {rng.choice(QUALITIES)} and {rng.choice(QUALITIES)}"
        if form == 5:
            return f"{self._who()} {rng.choice(MOTIONS)} {rng.choice(MANNERS)} through {self._where()}"
        return f"{self._who()} {rng.choice(DEEDS)} {self._what()} {rng.choice(TIMES)}"

    def sentence(self) -> str:
        rng = self._rng
        text = self._clause()
        if rng.random() < 0.35:
            comma = ", " if rng.random() < 0.5 else " "
            text += f"{comma}{rng.choice(JOINERS)} {self._clause()}"
        if rng.random() < 0.1:
            text = f"{rng.choice(TIMES)}, {text}"
        if rng.random() < 0.08:
            return f'"{text[0].upper()}{text[1:]}," said {self._name}.'
        return f"{text[0].upper()}{text[1:]}."


def _paragraph(rng: Random) -> str:
    scene = _Scene(rng)
    return " ".join(scene.sentence() for _ in range(rng.randint(3, 7))) + "\n\n"


def prose(rng: Random, size: int) -> str:
    """Paragraphs of three to seven sentences, each about one person, place and thing."""
    return until(size, lambda: _paragraph(rng))
