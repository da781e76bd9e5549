"""How a graph is quantised. Owns the settings, their limits and the presets; computes nothing."""

from dataclasses import dataclass

from llmzip.errors import UsageError

from .scales import Scale

BITS = (4, 8)
MATMUL_GROUPS = (16, 32, 64, 128, 256)
"""Block sizes of MatMulNBits in ONNX Runtime."""
EMBEDDING_GROUPS = (16, 32, 64, 128)
"""Block sizes of GatherBlockQuantized in ONNX Runtime."""


@dataclass(frozen=True)
class NbitsSettings:
    """How weights are stored: `bits` each, in groups along the input dimension that share a scale.

    `embedding_group` is None when the token embedding is kept as it is. A tied head has the embedding's group. Raises UsageError for what
    no op takes.
    """

    bits: int = 4
    matmul_group: int = 16
    embedding_group: int | None = 16
    scale: Scale = "least-squares"
    symmetric: bool = True

    def __post_init__(self) -> None:
        """Hold every setting to what the ops take."""
        _check("bits", self.bits, BITS)
        _check("group size of MatMulNBits", self.matmul_group, MATMUL_GROUPS)
        if self.embedding_group is not None:
            _check("group size of GatherBlockQuantized", self.embedding_group, EMBEDDING_GROUPS)
        if self.scale not in ("max-abs", "least-squares"):
            raise UsageError(f"the scale {self.scale!r} is not known", "use max-abs or least-squares")


def _check(what: str, value: int, allowed: tuple[int, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{what}: {value} is none that the op takes", f"use one of {', '.join(map(str, allowed))}")


PRESETS = {
    "llmzip": NbitsSettings(),
    "transformers-js": NbitsSettings(matmul_group=32, embedding_group=None),
}
"""`llmzip`: groups of 16 for linear layers and embedding. `transformers-js`: blocks of 32, and the embedding kept as a float matrix."""
