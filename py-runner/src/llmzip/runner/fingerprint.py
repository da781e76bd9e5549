"""What computes here (PROTOCOL.md, fingerprint). Owns the fields' values; loads no library to find them."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from llmzip.model.session import SessionOptions, architecture
from llmzip.model.tokenizer import IMPLEMENTATION, implementation_version
from llmzip.runner.cpu import cpu_features

SYSTEMS = {"darwin": "macos"}


def fingerprint(settings: SessionOptions | None) -> dict[str, Any]:
    """The fingerprint; what only a session decides is None without its settings."""
    system = platform.system().lower()
    return {
        "language": "python",
        "language_version": platform.python_version(),
        "runtime": "onnxruntime",
        "runtime_version": version("onnxruntime"),
        "provider": settings.provider if settings else None,
        "threads": settings.threads if settings else None,
        "graph_optimization": settings.graph_optimization if settings else None,
        "os": SYSTEMS.get(system, system),
        "arch": architecture(),
        "cpu_features": cpu_features(),
        "tokenizer": IMPLEMENTATION,
        "tokenizer_version": implementation_version(),
    }
