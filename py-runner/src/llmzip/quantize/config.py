"""What is understood of a model's `config.json`: the sizes of a decoder and the traits of its family. Owns that reading only."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointError


@dataclass(frozen=True)
class Family:
    """How a family of decoders differs from Llama: biases of q, k and v, and norms of the queries' and keys' heads."""

    qkv_bias: bool = False
    qk_norm: bool = False


FAMILIES = {
    "llama": Family(),
    "mistral": Family(),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(qk_norm=True),
}


_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "max_position_embeddings",
)
_LARGEST_SIZE = 1 << 31


@dataclass(frozen=True)
class DecoderConfig:
    """The sizes of a decoder, named as in `config.json`.

    `sliding_window` is how many tokens a query sees, itself included, or None where that is all of them.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int
    rope_theta: float
    rms_norm_eps: float
    tie_word_embeddings: bool
    sliding_window: int | None

    @property
    def family(self) -> Family:
        """The traits of the family."""
        return FAMILIES[self.model_type]

    @classmethod
    def read(cls, path: Path) -> "DecoderConfig":
        """Read `config.json`. Raises CheckpointError for anything but a plain model of a known family."""
        raw = _object(path)
        try:
            _refuse_what_is_not_plain(path, raw)
            heads = int(raw["num_attention_heads"])
            rope = raw.get("rope_parameters") or {}
            positions = int(raw["max_position_embeddings"])
            config = cls(
                model_type=str(raw["model_type"]),
                vocab_size=int(raw["vocab_size"]),
                hidden_size=int(raw["hidden_size"]),
                intermediate_size=int(raw["intermediate_size"]),
                num_hidden_layers=int(raw["num_hidden_layers"]),
                num_attention_heads=heads,
                num_key_value_heads=int(raw.get("num_key_value_heads") or heads),
                head_dim=int(raw.get("head_dim") or int(raw["hidden_size"]) // heads),
                max_position_embeddings=positions,
                rope_theta=float(raw.get("rope_theta") or rope.get("rope_theta") or 10000.0),
                rms_norm_eps=float(raw["rms_norm_eps"]),
                tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
                sliding_window=_sliding_window(path, raw, positions),
            )
            config._check()
        except CheckpointError:
            raise
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} lacks a field or has a wrong one: {error!r}", "use the model's own config.json"
            ) from error
        return config

    def _check(self) -> None:
        """Raise ValueError where a size is none."""
        for name in _SIZES:
            size = getattr(self, name)
            if not 1 <= size <= _LARGEST_SIZE:
                raise ValueError(f"{name} is {size}")
        for name in ("rope_theta", "rms_norm_eps"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}")
        if self.head_dim % 2 or self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(f"{self.num_attention_heads} heads of {self.head_dim}, {self.num_key_value_heads} of keys")


def _object(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, RecursionError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "get the file again") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path} is not a JSON object", "get the file again")
    return raw


def _refuse_what_is_not_plain(path: Path, raw: dict[str, Any]) -> None:
    family = raw.get("model_type")
    if family not in FAMILIES:
        raise CheckpointError(f"{path}: model_type is {family!r}", f"models of {', '.join(FAMILIES)} can be built")
    # Qwen2's biases are part of its architecture; its config.json has no field for them.
    known: dict[str, tuple[object, ...]] = {
        "hidden_act": ("silu",),
        "attention_bias": (None, False),
        "mlp_bias": (None, False),
        "rope_scaling": (None,),
        "rope_interleaved": (None, False),
    }
    for name, values in known.items():
        if raw.get(name) not in values:
            raise CheckpointError(f"{path}: {name} is {raw.get(name)!r}", f"only plain {family} models can be built")
    rope = raw.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise CheckpointError(
            f"{path}: rope_type is {rope['rope_type']!r}", "only plain rotary embeddings can be built"
        )


def _sliding_window(path: Path, raw: dict[str, Any], positions: int) -> int | None:
    """Mistral's window; Qwen's applies to some layers only and is off in its models."""
    if raw.get("use_sliding_window"):
        raise CheckpointError(f"{path}: use_sliding_window is set", "only models whose layers are alike can be built")
    if raw["model_type"] != "mistral" or raw.get("sliding_window") is None:
        return None
    window = int(raw["sliding_window"])
    return window if window < positions else None
