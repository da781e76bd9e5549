"""Text compression with the next-token log-probs of an ONNX language model.

The library's front door. Names are imported when they are first used, so that `python -m llmzip runner` can claim stdout before any
library that might print to it is loaded.

    from pathlib import Path
    from llmzip import ContextPolicy, NextToken, SessionOptions, load_model

    model = load_model(Path("models/tiny"), "onnx/model_q4f16.onnx", SessionOptions())
    next_token = NextToken(model.source, ContextPolicy(start_token=0, window=512, overlap=128))
    for token in model.tokenizer.encode("1 2 3"):
        log_prob = next_token.log_probs()[token]
        next_token.append(token)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmzip.compressor import CompressOptions, CompressSummary, DecompressSummary, compress, decompress
    from llmzip.container.eps import Eps
    from llmzip.container.info import ContainerInfo, read_info
    from llmzip.errors import LlmzipError
    from llmzip.logprobs import NextToken, next_token_log_probs
    from llmzip.model.context import ContextPolicy, Plan
    from llmzip.model.exactness import Exactness
    from llmzip.model.loader import LoadedModel, load_model
    from llmzip.model.session import Session, SessionOptions
    from llmzip.model.source import LanguageModel, LogitsSource

__version__ = "0.1.0"

__all__ = [
    "CompressOptions",
    "CompressSummary",
    "ContainerInfo",
    "ContextPolicy",
    "DecompressSummary",
    "Eps",
    "Exactness",
    "LanguageModel",
    "LlmzipError",
    "LoadedModel",
    "LogitsSource",
    "NextToken",
    "Plan",
    "Session",
    "SessionOptions",
    "__version__",
    "compress",
    "decompress",
    "load_model",
    "next_token_log_probs",
    "read_info",
]

_HOMES = {
    "llmzip.compressor": ("CompressSummary", "CompressOptions", "DecompressSummary", "compress", "decompress"),
    "llmzip.container.eps": ("Eps",),
    "llmzip.container.info": ("ContainerInfo", "read_info"),
    "llmzip.errors": ("LlmzipError",),
    "llmzip.logprobs": ("NextToken", "next_token_log_probs"),
    "llmzip.model.context": ("ContextPolicy", "Plan"),
    "llmzip.model.exactness": ("Exactness",),
    "llmzip.model.loader": ("LoadedModel", "load_model"),
    "llmzip.model.session": ("Session", "SessionOptions"),
    "llmzip.model.source": ("LanguageModel", "LogitsSource"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
