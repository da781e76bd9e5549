"""Held-out texts: one piece per kind, a long one of prose, and mixed ones. Owns models/tiny/samples.

All are of the test split, which training never draws from.
"""

from itertools import count
from pathlib import Path

from .corpus import KINDS, document, generate
from .corpus.draw import until
from .files import write_whole

PIECE_BYTES = 2048
MIXED_BYTES = {"mixed-10k": 10_000, "mixed-100k": 100_000}
PROSE_BYTES = 45_000


def cut(text: str, size: int) -> str:
    """The whole lines of `text` that fit into `size` bytes; a line longer than that is cut (ASCII)."""
    if len(text) <= size:
        return text
    end = text.rfind("\n", 0, size)
    return text[: end + 1] if end > size // 2 else text[:size]


def pieces() -> dict[str, str]:
    """One piece of about 2 KB per predictable kind, by the kind's name."""
    names = [kind.name for kind in KINDS if kind.predictable]
    return {name: cut(generate(name, "test/0", PIECE_BYTES), PIECE_BYTES) for name in names}


def mixed(size: int) -> str:
    """Exactly `size` bytes of test documents, one after the other, of all kinds."""
    numbers = count()
    text = until(size, lambda: document("test", next(numbers)))
    whole = text.encode("utf-8")[:size].decode("utf-8", errors="ignore")
    # A character that does not fit any more makes room for up to three newlines.
    return whole + "\n" * (size - len(whole.encode("utf-8")))


def long_texts() -> dict[str, str]:
    """The long texts by name: prose of more than 10,000 tokens, and the mixed ones."""
    prose = {"prose-45k": cut(generate("prose", "test/long", PROSE_BYTES), PROSE_BYTES)}
    return prose | {name: mixed(size) for name, size in MIXED_BYTES.items()}


def samples() -> dict[str, bytes]:
    """Every file of the samples folder, by its name."""
    texts = {f"piece-{name}": text for name, text in pieces().items()} | long_texts()
    return {f"{name}.txt": text.encode("utf-8") for name, text in texts.items()}


def write_samples(folder: Path) -> None:
    """Write all samples into `folder`."""
    for name, raw in samples().items():
        write_whole(folder / name, raw)
