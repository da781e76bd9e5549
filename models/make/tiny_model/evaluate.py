"""Measures the model: bits per held-out piece against zstd, and 1 to 1000. Owns figures, not limits."""

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from .inference import Logits, coded_bits
from .pieces import long_texts, pieces

HEADER_BYTES = 150
"""What a container adds to the coded tokens, counted generously."""


@dataclass(frozen=True)
class Figure:
    """What one text costs: sizes in bytes and tokens, and the model's bits for all tokens."""

    name: str
    plain_bytes: int
    tokens: int
    bits: float
    zstd_bytes: int

    @property
    def bits_per_byte(self) -> float:
        """Model bits per byte of text."""
        return self.bits / self.plain_bytes

    @property
    def container_bytes(self) -> float:
        """Coded tokens and a header."""
        return self.bits / 8 + HEADER_BYTES

    @property
    def ratio(self) -> float:
        """Container size over the size that zstd -19 makes."""
        return self.container_bytes / self.zstd_bytes


def one_to_thousand() -> str:
    """The numbers 1 to 1000, joined by newlines: 3,892 bytes."""
    return "\n".join(map(str, range(1, 1001)))


def _zstd_bytes(raw: bytes) -> int:
    import zstandard  # noqa: PLC0415 - only a measurement needs it, and only the extra `train` has it

    return len(zstandard.ZstdCompressor(level=19).compress(raw))


def measure(name: str, text: str, tokenizer: Tokenizer, logits: Logits) -> Figure:
    """Cost of `text` under the container's context policy."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    raw = text.encode("utf-8")
    return Figure(name, len(raw), len(ids), float(coded_bits(ids, logits).sum()), _zstd_bytes(raw))


def evaluate(folder: Path, logits: Logits) -> list[Figure]:
    """Figures for 1 to 1000, and each sample, with the tokenizer of `folder`."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = {"1..1000": one_to_thousand(), **pieces(), **long_texts()}
    return [measure(name, text, tokenizer, logits) for name, text in texts.items()]
