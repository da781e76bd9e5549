"""What computes here (PROTOCOL.md, fingerprint). Owns the fields' values; loads no library to find them."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmzip.model.session import SessionOptions, architecture
from llmzip.model.tokenizer import IMPLEMENTATION, implementation_version

SYSTEMS = {"darwin": "macos"}
CPU_INFO = Path("/proc/cpuinfo")
# Those of which ONNX Runtime's kernels take note.
CPU_FEATURES = frozenset(
    {
        *("sse4_1", "sse4_2", "avx", "avx2", "avx_vnni", "f16c", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
        *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
        *("asimd", "asimdhp", "asimddp", "asimdfhm", "i8mm", "bf16", "sve", "sve2", "sme"),
    }
)


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


def cpu_features() -> list[str]:
    """Names of the CPU's features that matter, sorted; empty where the system does not tell."""
    try:
        lines = CPU_INFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    flags = next((line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features"))), "")
    return sorted(CPU_FEATURES.intersection(flags.split()))
