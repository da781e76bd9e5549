"""Runs of calendar days in ISO and long form. Owns dates only; times of day belong to `records`."""

from datetime import date, timedelta
from random import Random

from .draw import until
from .words import MONTHS, WEEKDAYS

_FIRST = date(1950, 1, 1)
_DAYS = (date(2050, 1, 1) - _FIRST).days


def long_form(day: date) -> str:
    """For example "Wednesday, 28 February 2024"."""
    return f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}"


def _run(rng: Random) -> str:
    day = _FIRST + timedelta(days=rng.randrange(_DAYS))
    step = timedelta(days=rng.choices((1, 7, -1), weights=(75, 15, 10))[0])
    form = rng.randrange(5)
    lines: list[str] = []
    for _ in range(rng.randint(3, 9)):
        iso, name = day.isoformat(), WEEKDAYS[day.weekday()]
        after = day + timedelta(days=1)
        if form == 0:
            lines.append(f"{iso} {long_form(day)}\n")
        elif form == 1:
            lines.append(f"{iso}\n")
        elif form == 2:
            lines.append(f"{long_form(day)} ({iso})\n")
        elif form == 3:
            lines.append(f"{name[:3]} {day.day} {MONTHS[day.month - 1][:3]} {day.year}\n")
        else:
            lines.append(f"from {iso} to {after.isoformat()}, {name} to {WEEKDAYS[after.weekday()]}\n")
        day += step
    return "".join(lines)


def date_runs(rng: Random, size: int) -> str:
    """Runs of three to nine days, by days or by weeks, in five forms."""
    return until(size, lambda: _run(rng))
