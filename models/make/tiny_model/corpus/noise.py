"""Text that nothing predicts: hexadecimal, base64, letters, symbols, other scripts. Owns noise only."""

import base64
from random import Random

from .draw import until

_SCRIPTS = (
    (0x21, 0x7E),
    (0xC0, 0xFF),
    (0x391, 0x3C9),
    (0x410, 0x44F),
    (0x5D0, 0x5EA),
    (0x627, 0x64A),
    (0x905, 0x939),
    (0x3041, 0x3096),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0x1F300, 0x1F64F),
)


def _section(rng: Random) -> str:
    form = rng.randrange(4)
    if form == 0:
        width = rng.choice((8, 16, 20, 32))
        return "\n".join(rng.randbytes(width).hex() for _ in range(rng.randint(1, 6))) + "\n"
    if form == 1:
        return base64.b64encode(rng.randbytes(rng.randint(16, 90))).decode("ascii") + "\n"
    low, high = rng.choice(_SCRIPTS)
    end = rng.choice((" ", "\n", "\r\n", "\t", ""))
    words = ["".join(chr(rng.randint(low, high)) for _ in range(rng.randint(2, 9))) for _ in range(rng.randint(2, 12))]
    return end.join(words) + "\n"


def noise(rng: Random, size: int) -> str:
    """Sections of one alphabet each."""
    return until(size, lambda: _section(rng))
