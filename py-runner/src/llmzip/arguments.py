"""Types of command-line arguments. Owns what a number or a name must look like; knows no command."""

from __future__ import annotations

import argparse
import math
import re
from typing import Literal


def positive(text: str) -> int:
    """A whole number, 1 or more, in plain digits."""
    # int() takes more than digits: signs, spaces, underscores.
    if not re.fullmatch("[1-9][0-9]{0,9}", text):
        raise argparse.ArgumentTypeError("give a whole number, 1 or more")
    return int(text)


def lanes(text: str) -> int | Literal["auto"]:
    """A number of lanes, or `auto`."""
    return "auto" if text == "auto" else positive(text)


def natural(text: str) -> int:
    """A whole number, 0 or more, in plain digits."""
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return int(text)


def amount(text: str) -> float:
    """A finite number, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError("give a number, 0 or more")
    return value


def output(text: str) -> str:
    """The name of a file to write to."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a file to write to")
    return text
