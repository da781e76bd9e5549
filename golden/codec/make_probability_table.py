"""Makes probability_table.bin, the 4096 probabilities of FORMAT.md section 6, from their formula.

Owns nothing but that one file. Standard library only, decimal arithmetic throughout, so that no platform's libm has a say in a
table that three languages treat as data.

Usage: python make_probability_table.py [--check]
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import sys
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

ENTRIES = 4096
SCALE = 65536
DIGITS = 60
# A formula value this close to a half could round either way under another precision; none is.
TIE_MARGIN = Decimal("1e-6")
TABLE = Path(__file__).with_name("probability_table.bin")


def arctan_inverse(n: int) -> Decimal:
    """atan(1 / n) by its Taylor series."""
    term = Decimal(1) / n
    total, divisor, sign = term, 1, 1
    while abs(term) > Decimal(10) ** -(DIGITS + 5):
        term /= n * n
        divisor += 2
        sign = -sign
        total += sign * term / divisor
    return total


def pi() -> Decimal:
    """Machin's formula."""
    return 4 * (4 * arctan_inverse(5) - arctan_inverse(239))


def sin_cos(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Sine and cosine of an angle in 0 .. pi / 2 by their Taylor series."""
    sine = cosine = Decimal(0)
    term, power = Decimal(1), 0
    while abs(term) > Decimal(10) ** -(DIGITS + 5):
        signed = -term if power & 2 else term
        if power & 1:
            sine += signed
        else:
            cosine += signed
        power += 1
        term = term * angle / power
    return sine, cosine


def probability_table() -> list[int]:
    """The 4096 entries, each 1 .. 65535."""
    with localcontext() as context:
        context.prec = DIGITS + 10
        step = pi() / (2 * ENTRIES)
        table = []
        for j in range(ENTRIES):
            sine, cosine = sin_cos((Decimal(j) + Decimal("0.5")) * step)
            exact = SCALE * sine**3 / (sine**3 + cosine**3)
            fraction = exact % 1
            if abs(fraction - Decimal("0.5")) <= TIE_MARGIN:
                raise SystemExit(f"entry {j} is {exact}: too near a rounding tie to be the same everywhere")
            rounded = int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))
            table.append(min(max(rounded, 1), SCALE - 1))
        return table


def main() -> int:
    parser = argparse.ArgumentParser(description="Make golden/codec/probability_table.bin.")
    parser.add_argument("--check", action="store_true", help="compare with the file there instead of writing it")
    arguments = parser.parse_args()
    table = probability_table()
    content = struct.pack(f"<{ENTRIES}H", *table)
    digest = hashlib.sha256(content).hexdigest()
    if arguments.check:
        if TABLE.read_bytes() != content:
            print(f"{TABLE.name} is not what the formula gives (sha256 {digest}); run this script without --check")
            return 1
    else:
        TABLE.write_bytes(content)
    print(f"{TABLE.name} sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
