"""Eps as a container states it: a short decimal number, and the binary64 that every language makes of it. Owns its one form."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llmzip.errors import UsageError

MAX_EXPONENT = 12
MAX_MANTISSA = 255
EPS_TEXT = re.compile(r"([0-9]{1,20})(?:\.([0-9]{0,20}))?(?:[eE]([+-]?[0-9]{1,3}))?")


@dataclass(frozen=True)
class Eps:
    """The largest difference of a log-prob that a container withstands: `mantissa / 10^exponent` nats, below 1."""

    mantissa: int
    exponent: int

    @classmethod
    def parse(cls, text: str) -> Eps:
        """Read text such as `5e-5` or `0`. Raises `UsageError` when it is not a number that a container can hold."""
        number = EPS_TEXT.fullmatch(text)
        if number:
            whole, fraction, power = number.groups(default="")
            mantissa, exponent = int(whole + fraction), len(fraction) - int(power or 0)
            while mantissa and mantissa % 10 == 0:
                mantissa, exponent = mantissa // 10, exponent - 1
            eps = cls(mantissa, exponent if mantissa else 0)
            if eps.is_valid():
                return eps
        raise UsageError(
            f"eps is {text[:40]!r}, which a container cannot hold",
            "give 0, or a number below 1 of digits up to 255 and at most 12 decimal places, such as 5e-5",
        )

    def is_valid(self) -> bool:
        """Whether it is in the one form that the container allows."""
        if self.mantissa == 0:
            return self.exponent == 0
        return (
            1 <= self.mantissa <= MAX_MANTISSA
            and 1 <= self.exponent <= MAX_EXPONENT
            and self.mantissa % 10 != 0
            and self.value < 1
        )

    @property
    def value(self) -> float:
        """In nats."""
        return self.mantissa / 10.0**self.exponent

    def __str__(self) -> str:
        return f"{self.mantissa}e-{self.exponent}" if self.mantissa else "0"
