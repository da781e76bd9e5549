"""Counting in digits and in English words. Owns runs of numbers; dates and sums live next door."""

from random import Random

from .draw import log_uniform, until

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(number: int) -> str:
    """English name of `number`, 0 <= number < 1,000,000, without "and"."""
    if number >= 1000:
        head, rest = divmod(number, 1000)
        return in_words(head) + " thousand" + (" " + in_words(rest) if rest else "")
    if number >= 100:
        head, rest = divmod(number, 100)
        return _SMALL[head] + " hundred" + (" " + in_words(rest) if rest else "")
    if number >= 20:
        head, rest = divmod(number, 10)
        return _TENS[head] + ("-" + _SMALL[rest] if rest else "")
    return _SMALL[number]


def run(start: int, step: int, count: int) -> list[int]:
    """`count` numbers from `start` on, cut off before the first negative one."""
    return [n for n in range(start, start + step * count, step) if n >= 0]


def _digit_run(rng: Random, count: int) -> str:
    step = rng.choices((1, 2, 5, 10, -1, -2, 3, 100), weights=(50, 10, 8, 8, 12, 4, 4, 4))[0]
    start = log_uniform(rng, 1, 20000)
    if step < 0:
        start = max(start, -step * rng.randint(count // 2, count))
    separator = rng.choices(("\n", ", ", " ", ","), weights=(55, 18, 17, 10))[0]
    return separator.join(map(str, run(start, step, count))) + "\n"


def short_digit_runs(rng: Random, size: int) -> str:
    """Many runs of 10 to 60 numbers, each with its own start, step and separator."""
    return until(size, lambda: _digit_run(rng, rng.randint(10, 60)))


def long_digit_run(rng: Random, size: int) -> str:
    """One number per line over the whole text, by ones more often than not, often from 1."""
    count = size // 3 + 1
    step = rng.choices((1, 2, 5, 10, -1), weights=(80, 5, 4, 4, 7))[0]
    start = 1 if rng.random() < 0.4 else log_uniform(rng, 1, 10000)
    if step < 0:
        start = max(start, count)
    return "\n".join(map(str, run(start, step, count)))


def _word_run(rng: Random) -> str:
    step = rng.choices((1, 2, 5, 10, 100, -1, -10), weights=(40, 10, 10, 15, 10, 10, 5))[0]
    start = log_uniform(rng, 1, 3000)
    numbers = run(start, step, rng.randint(2, 4))
    form = rng.randrange(4)
    if form == 0:
        return "\n".join(f"{n} {in_words(n)}" for n in numbers) + "\n"
    if form == 1:
        return "\n".join(f"{in_words(n)} ({n})" for n in numbers) + "\n"
    if form == 2:
        return ", ".join(in_words(n) for n in numbers) + "\n"
    return "\n".join(f"{in_words(n).capitalize()} and {in_words(n + 1)}." for n in numbers) + "\n"


def word_runs(rng: Random, size: int) -> str:
    """Short runs of number names, some of them beside their digits."""
    return until(size, lambda: _word_run(rng))
