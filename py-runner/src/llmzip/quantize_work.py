"""The kinds of work of the command `quantize`, and the options that each takes. Owns that table; does none of the work."""

from __future__ import annotations

import argparse
import enum

from llmzip.errors import UsageError

_WEIGHTS = ("preset", "bits", "group_size", "embeddings", "scale", "zero_points")
_FOLDER = (
    *("out", "activations", "split_mib", "exporter", "start_token", "licence", "force"),
    *("validate", "no_validate", "max_kl", "compare_scales"),
)
_EXACT_ALONE = ["exact"]
"""The --activations with which nothing is made of weights of few bits."""
_NOT_FOR_EXACT = (*_WEIGHTS, "split_mib")
_COMPARED = ("preset", "bits", "group_size", "embeddings")
"""What --compare-scales heeds all the same: it tries every other choice."""


class Work(enum.Enum):
    """A kind of work. The value is how a message names it."""

    INSTALL = "--install"
    EXACT = "--exact"
    WIDEN = "--widen"
    STAND_IN = "--stand-in"
    MODEL = "a model folder of SOURCE"


TAKES: dict[Work, frozenset[str]] = {
    Work.INSTALL: frozenset({"install"}),
    Work.EXACT: frozenset({"exact", "source", "output", "positions", "force"}),
    Work.WIDEN: frozenset({"widen", "source", "output", "force"}),
    Work.STAND_IN: frozenset({*_FOLDER, *_WEIGHTS, "stand_in", "seed", "tokenizer"}),
    Work.MODEL: frozenset({*_FOLDER, *_WEIGHTS, "source", "revision"}),
}
"""The options that have an effect on each kind of work, by the names that argparse gives them. `quiet` has one on all."""

_WORDS = {"source": "SOURCE", "output": "-o"}


def work_of(options: argparse.Namespace) -> Work:
    """The work that the options ask for. Raises UsageError where they ask for none, for two, or one of them would do nothing."""
    given = [
        name for name in vars(options) if any(name in takes for takes in TAKES.values()) and _is_given(options, name)
    ]
    asked = [work for work in (Work.INSTALL, Work.EXACT, Work.WIDEN) if work.value.removeprefix("--") in given]
    if len(asked) > 1:
        raise UsageError(f"{asked[0].value} and {asked[1].value} are different work", "give one of them")
    if not asked and "out" not in given:
        raise UsageError(
            "it is not said what to make",
            "give --out DIR for a model folder, or --exact or --widen (and -o FILE) for one graph",
        )
    if not asked and ("source" in given) == ("stand_in" in given):
        raise UsageError("one source is needed", "name SOURCE, or --stand-in NAME")
    work = asked[0] if asked else Work.STAND_IN if "stand_in" in given else Work.MODEL
    for name in given:
        if name not in TAKES[work]:
            others = " or ".join(each.value for each, takes in TAKES.items() if name in takes)
            raise UsageError(
                f"{_word(options, name)} does nothing for {work.value}", f"leave it out; it is for {others}"
            )
    _check_exact_alone(options, given)
    if work in (Work.EXACT, Work.WIDEN) and "source" not in given:
        raise UsageError(f"{work.value} makes one graph of SOURCE", "name SOURCE, and a file to write with -o")
    return work


def _check_exact_alone(options: argparse.Namespace, given: list[str]) -> None:
    """Raises UsageError where exact is the only variant and an option is for the others: its weights have a form of their own."""
    if sorted(set(options.activations or ())) != _EXACT_ALONE:
        return
    heeded = _COMPARED if options.compare_scales else ()
    for name in given:
        if name in _NOT_FOR_EXACT and name not in heeded:
            raise UsageError(
                f"{_word(options, name)} does nothing for --activations exact alone",
                "leave it out, or add --activations fp16 or fp32; it is for the variants q4f16 and q4",
            )


def _is_given(options: argparse.Namespace, name: str) -> bool:
    """Options have no default but None, and switches False, which of --embeddings alone is the user's word."""
    value = getattr(options, name)
    return value is not None and (value is not False or name == "embeddings")


def _word(options: argparse.Namespace, name: str) -> str:
    no = "no-" if getattr(options, name) is False else ""
    return _WORDS.get(name, f"--{no}{name.replace('_', '-')}")
