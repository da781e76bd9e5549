"""The binary arithmetic coder and its adaptive bits (FORMAT.md section 7).

Owns bits and probabilities; knows nothing of tokens, grids or models. Probabilities are of bit 1, in 65536ths, `1 .. 65535`.

FORMAT.md renormalises one bit at a time. The leading bits that `low` and `high` share, and after them the run of `01...` over
`10...` that leaves the first bit open, can be counted at once, so each renormalisation here is two shifts.
"""

from __future__ import annotations

from llmzip.errors import FormatError

MASK = 0xFFFFFFFF
TOP = 0x80000000
QUARTER = 0x40000000
BELOW_TOP = 0x7FFFFFFF
MAX_BITS_PAST_END = 32
ADAPTIVE_LIMIT = 255
# Bits are gathered in one integer and moved to the byte string in pieces of at least this many.
FLUSH_BITS = 512


class StreamEndError(FormatError):
    """A lane's stream has no more bits, but the decoder needs them."""

    def __init__(self) -> None:
        super().__init__("a lane's stream ends too early")


class AdaptiveBit:
    """A bit whose probability follows its own history."""

    __slots__ = ("ones", "zeros")

    def __init__(self) -> None:
        self.zeros = 0
        self.ones = 0

    def probability(self) -> int:
        """Probability of 1."""
        return ((self.ones + 2) * 65536) // (self.zeros + self.ones + 4)

    def update(self, bit: int) -> None:
        """Learn a bit that was coded."""
        if bit:
            self.ones += 1
        else:
            self.zeros += 1
        if self.zeros + self.ones >= ADAPTIVE_LIMIT:
            self.zeros >>= 1
            self.ones >>= 1


class BitEncoder:
    """Codes bits into bytes."""

    __slots__ = ("_bits", "_bytes", "_count", "_high", "_low", "_pending")

    def __init__(self) -> None:
        self._low = 0
        self._high = MASK
        self._pending = 0
        self._bits = 0
        self._count = 0
        self._bytes = bytearray()

    def encode(self, bit: int, p: int) -> None:
        """Code one bit whose probability of being 1 is `p`."""
        low, high = self._low, self._high
        split = low + ((high - low) * p >> 16)
        if bit:
            high = split
        else:
            low = split + 1
        shared = 32 - (low ^ high).bit_length()
        if shared:
            self._put(low >> (32 - shared), shared)
            low = (low << shared) & MASK
            high = ((high << shared) & MASK) | ((1 << shared) - 1)
        open_bits = 31 - (~(low & ~high) & BELOW_TOP).bit_length()
        if open_bits:
            self._pending += open_bits
            low = ((low << open_bits) & MASK) ^ TOP
            high = (((high << open_bits) & MASK) | ((1 << open_bits) - 1)) ^ TOP
        self._low, self._high = low, high

    def finish(self) -> bytes:
        """End the stream and return it. The encoder must not be used afterwards."""
        # The interval holds its middle, of which all bits but the first are 0, as they are past the end.
        self._put(1, 1)
        padding = -self._count % 8
        self._bits <<= padding
        self._count += padding
        self._bytes += self._bits.to_bytes(self._count // 8, "big")
        return bytes(self._bytes)

    def _put(self, bits: int, count: int) -> None:
        """Append `count` bits; after the first of them its complement as often as is pending."""
        if self._pending:
            first = bits >> (count - 1)
            complement = 0 if first else (1 << self._pending) - 1
            self._bits = (((self._bits << 1) | first) << self._pending) | complement
            self._count += 1 + self._pending
            self._pending = 0
            count -= 1
            bits &= (1 << count) - 1
        self._bits = (self._bits << count) | bits
        self._count += count
        if self._count >= FLUSH_BITS:
            rest = self._count % 8
            self._bytes += (self._bits >> rest).to_bytes(self._count // 8, "big")
            self._bits &= (1 << rest) - 1
            self._count = rest


class BitDecoder:
    """Decodes what a `BitEncoder` coded.

    Raises `StreamEndError` when more than 32 bits past the end of the stream are needed.
    """

    __slots__ = ("_high", "_left", "_low", "_position", "_reserve", "_reserve_bits", "_stream", "_value")

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._position = 0
        self._reserve = 0
        self._reserve_bits = 0
        self._left = len(stream) * 8 + MAX_BITS_PAST_END
        self._low = 0
        self._high = MASK
        self._value = self._take(32)

    def decode(self, p: int) -> int:
        """Decode one bit whose probability of being 1 is `p`."""
        low, high = self._low, self._high
        split = low + ((high - low) * p >> 16)
        if self._value <= split:
            bit = 1
            high = split
        else:
            bit = 0
            low = split + 1
        # The common case: nothing to shift.
        if low < TOP <= high and (low < QUARTER or high >= TOP + QUARTER):
            self._low, self._high = low, high
            return bit
        shared = 32 - (low ^ high).bit_length()
        if shared:
            low = (low << shared) & MASK
            high = ((high << shared) & MASK) | ((1 << shared) - 1)
            self._value = ((self._value << shared) & MASK) | self._take(shared)
        open_bits = 31 - (~(low & ~high) & BELOW_TOP).bit_length()
        if open_bits:
            low = ((low << open_bits) & MASK) ^ TOP
            high = (((high << open_bits) & MASK) | ((1 << open_bits) - 1)) ^ TOP
            self._value = (((self._value << open_bits) & MASK) | self._take(open_bits)) ^ TOP
        self._low, self._high = low, high
        return bit

    def _take(self, count: int) -> int:
        """The next `count` bits of the stream."""
        self._left -= count
        if self._left < 0:
            raise StreamEndError
        while self._reserve_bits < count:
            piece = self._stream[self._position : self._position + 8]
            self._position += 8
            # Past the end the stream goes on with zeros.
            self._reserve = (self._reserve << 64) | (int.from_bytes(piece, "big") << (8 * (8 - len(piece))))
            self._reserve_bits += 64
        self._reserve_bits -= count
        bits = self._reserve >> self._reserve_bits
        self._reserve &= (1 << self._reserve_bits) - 1
        return bits
