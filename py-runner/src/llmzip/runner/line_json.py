"""What of JSON a line may hold, the same in every language (PROTOCOL.md, "What JSON a line may hold"). Knows no messages."""

from __future__ import annotations

import json
import math
from typing import Any

# The largest whole number of an id or a parameter, which every language holds exactly.
MAX_WHOLE = (1 << 53) - 1
# How deep arrays and objects may lie in each other; the line's own object is the first.
MAX_DEPTH = 64
# Below it no whole number is too large for binary64, whatever its digits.
MANY_DIGITS = 300


def parse_line(line: bytes) -> Any:
    """A line as a value: a number is whole by its value, however it is written.

    Raises `ValueError` with the reason when it is no JSON that a line may hold.
    """
    text = line.decode("utf-8")
    try:
        value = json.loads(
            text, object_pairs_hook=_members, parse_int=_integer, parse_float=_number, parse_constant=_refuse
        )
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    if "\\u" in text:
        # A lone surrogate is the one thing that a string can have and UTF-8 cannot.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, dict | list)
        ]
    if level:
        raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"arrays and objects lie more than {MAX_DEPTH} deep")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has two members with the same name")
    return members


def _integer(text: str) -> int:
    if len(text) > MANY_DIGITS:
        _finite(text)
    return int(text)


def _number(text: str) -> int | float:
    number = _finite(text)
    return int(number) if number.is_integer() and abs(number) <= MAX_WHOLE else number


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large for binary64")
    return number


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
