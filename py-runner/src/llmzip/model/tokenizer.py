"""Text to ids and back, by transformers. Owns the tokenizer's options; reads no files."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from llmzip.errors import ModelError

IMPLEMENTATION = "transformers"


def implementation_version() -> str:
    """Versions of transformers and of the library below it."""
    return f"{version('transformers')} (tokenizers {version('tokenizers')})"


class Tokenizer:
    """A tokenizer from the content of `tokenizer.json`. Raises `ModelError` when that is not one, or has no tokens."""

    def __init__(self, content: bytes) -> None:
        # Neither advice about frameworks nor a look at the network is wanted.
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import tokenizers  # noqa: PLC0415 - slow to import, and the options above must be set first
        import transformers  # noqa: PLC0415

        try:
            backend = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
        except Exception as error:
            raise _unusable(error) from error
        self._ids = frozenset(backend.get_vocab(with_added_tokens=True).values())
        if not self._ids:
            raise _unusable("it has no tokens")
        self._tokenizer: Any = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
        self.size = max(self._ids) + 1

    def encode(self, text: str) -> list[int]:
        """The ids of a text; no special tokens are added, special-token text is recognised."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def has(self, token: int) -> bool:
        """Whether there is a token of this id; below `size` there may be gaps."""
        return token in self._ids

    def decode(self, ids: list[int]) -> str:
        """The text of ids; special tokens are kept, and an id without a token stands for nothing."""
        known = [token for token in ids if token in self._ids]
        text: str = self._tokenizer.decode(known, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


def _unusable(reason: object) -> ModelError:
    return ModelError(
        f"tokenizer.json is not a tokenizer: {reason}", "take the tokenizer.json that belongs to the model"
    )
