"""The text that a model is validated with. Owns the one that ships with the project, and its cutting into windows of tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llmzip.errors import IoError, UsageError, VocabularyError
from llmzip.model.tokenizer import Tokenizer
from llmzip.quantize.drive import Ids
from llmzip.quantize.source import CheckpointFolder

SHIPPED = Path(__file__).with_name("text.txt")
WINDOW = 128
MOST_TOKENS = 2048
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class ValidationText:
    """A text as windows of ids, each begun with the start token. `size` is the bytes of the text that the ids stand for."""

    name: str
    sha256: str
    size: int
    windows: list[Ids]


def start_token(config: dict[str, Any]) -> int:
    """The token that a context begins with: the config's first, else its last, else 0."""
    for name in ("bos_token_id", "eos_token_id"):
        value = config.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return 0


def longest_context(config: dict[str, Any]) -> int | None:
    """How many tokens the model can see, as far as its config says."""
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = config.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None


def validation_text(source: CheckpointFolder, tokenizer: Path, file: Path | None, start: int) -> ValidationText:
    """The windows of `file`, or of the shipped text, each begun with `start`.

    Raises IoError, UsageError for what is no text, VocabularyError.
    """
    path = file or SHIPPED
    try:
        with path.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
        backend = Tokenizer(tokenizer.read_bytes())
    except OSError as error:
        raise IoError.reading(path, error) from error
    ids = backend.encode(_text(path, content))
    vocabulary = source.config.get("vocab_size")
    if isinstance(vocabulary, int) and backend.size > vocabulary:
        raise VocabularyError(
            f"{tokenizer} has ids up to {backend.size - 1}, {source.origin} a vocabulary of {vocabulary}",
            "use the tokenizer that belongs to the checkpoint",
        )
    ids = ids[:MOST_TOKENS]
    if len(ids) < 2:
        raise UsageError(f"{path} is too short to validate with", "give a text of a few hundred words")
    size = min(WINDOW, longest_context(source.config) or WINDOW) - 1
    windows = [np.array([start, *ids[at : at + size]], np.int64) for at in range(0, len(ids), size)]
    covered = len(backend.decode(ids).encode("utf-8", "replace"))
    return ValidationText(path.name, hashlib.sha256(content).hexdigest(), covered, windows)


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may be cut where the file is longer than what was read.
        if error.start > len(content) - 4:
            return content[: error.start].decode("utf-8")
        raise UsageError(f"{path} is no UTF-8 text: {error}", "give a text to validate with") from error
