"""Tables of sums, differences, products and quotients, all right. Owns arithmetic only."""

from random import Random

from .draw import log_uniform, until


def _table(rng: Random) -> str:
    form = rng.randrange(6)
    count = rng.randint(5, 9)
    if form == 0:
        factor = rng.randint(2, 40)
        first = rng.choice((1, 1, 1, 2, 5, 10))
        times, equals = rng.choice((("x", "="), ("times", "is")))
        rows = [f"{factor} {times} {n} {equals} {factor * n}" for n in range(first, first + count)]
    elif form == 1:
        addend, start = rng.randint(2, 60), log_uniform(rng, 1, 500)
        rows = [f"{n} + {addend} = {n + addend}" for n in range(start, start + count)]
    elif form == 2:
        step, start = rng.randint(1, 30), log_uniform(rng, 1, 500)
        sums = range(start, start + step * count, step)
        rows = [f"{n} + {step} = {n + step}" for n in sums]
    elif form == 3:
        total = rng.randint(20, 400)
        rows = [f"{total} - {n} = {total - n}" for n in range(1, count + 1)]
    elif form == 4:
        divisor = rng.randint(2, 25)
        rows = [f"{divisor * n} / {divisor} = {n}" for n in range(1, count + 1)]
    else:
        start = rng.randint(1, 60)
        rows = [f"{n} squared is {n * n}, {n} doubled is {2 * n}" for n in range(start, start + count)]
    return "\n".join(rows) + "\n"


def tables(rng: Random, size: int) -> str:
    """Tables of five to nine rows each."""
    return until(size, lambda: _table(rng))
