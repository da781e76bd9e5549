"""The SHA-256 that stands for a model (FORMAT.md, section 2). Owns the rule; opens no file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping


def model_identity(onnx: str, data: Mapping[str, str]) -> str:
    """That of its ONNX file, or, when weights lie in files beside it, that of a list of all of them.

    `data` has the files' SHA-256 by name. All in lower-case hexadecimal.
    """
    if not data:
        return onnx
    lines = "".join(f"{data[name]}  {name}\n" for name in sorted(data))
    # No ONNX file begins with this first line, so that a list is never taken for one.
    return hashlib.sha256(f"files\n{onnx}\n{lines}".encode()).hexdigest()
