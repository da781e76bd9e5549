"""What is understood of a model's `config.json`: the sizes of a decoder and the traits of its family. Owns that reading only."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import CheckpointError


@dataclass(frozen=True)
class Family:
    """How a family of decoders differs from Llama: biases of q, k and v, and norms of the queries' and keys' heads."""

    qkv_bias: bool = False
    qk_norm: bool = False
    hidden_act: str = "silu"
    """What transformers takes where `config.json` does not say it: the same in all of them."""


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

    def limited(self, positions: int) -> "DecoderConfig":
        """The same decoder with a context of `positions` tokens, no more than it has."""
        window = self.sliding_window
        return replace(
            self,
            max_position_embeddings=positions,
            sliding_window=None if window is None or window >= positions else window,
        )

    @classmethod
    def read(cls, path: Path) -> "DecoderConfig":
        """Read `config.json`. Raises CheckpointError for anything but a plain model of a known family."""
        raw = _object(path)
        try:
            _refuse_what_is_not_plain(path, raw)
            heads = _whole(raw, "num_attention_heads")
            rope = raw.get("rope_parameters") or {}
            positions = _whole(raw, "max_position_embeddings")
            config = cls(
                model_type=str(raw["model_type"]),
                vocab_size=_whole(raw, "vocab_size"),
                hidden_size=_whole(raw, "hidden_size"),
                intermediate_size=_whole(raw, "intermediate_size"),
                num_hidden_layers=_whole(raw, "num_hidden_layers"),
                num_attention_heads=heads,
                num_key_value_heads=_whole(raw, "num_key_value_heads", heads),
                head_dim=_whole(raw, "head_dim", _whole(raw, "hidden_size") // heads),
                max_position_embeddings=positions,
                rope_theta=_real(raw, "rope_theta", _real(rope, "rope_theta", 10000.0)),
                rms_norm_eps=_real(raw, "rms_norm_eps"),
                tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
                sliding_window=_sliding_window(path, raw, positions),
            )
            config._check()
        except CheckpointError:
            raise
        except KeyError as error:
            raise CheckpointError(f"{path} has no {error.args[0]}", "use the model's own config.json") from error
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} has a wrong field: {error}", "use the model's own config.json") from error
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


def _whole(raw: dict[str, Any], name: str, default: int | None = None) -> int:
    """A field that is a whole number; `default` where it is missing, null or 0. Raises KeyError, ValueError."""
    return int(_real(raw, name, default))


def _real(raw: dict[str, Any], name: str, default: float | None = None) -> float:
    """A field that is a number, as `_whole`."""
    value = (raw.get(name) or default) if default is not None else raw[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """A field's value as `config.json` has it."""
    return json.dumps(value)


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
        raise CheckpointError(
            f"{path}: model_type is {_shown(family)}", f"models of {', '.join(FAMILIES)} can be built"
        )
    # Qwen2's biases are part of its architecture; its config.json has no field for them.
    known: dict[str, tuple[object, ...]] = {
        "hidden_act": ("silu",),
        "attention_bias": (None, False),
        "mlp_bias": (None, False),
        "rope_scaling": (None,),
        "rope_interleaved": (None, False),
    }
    stated = {"hidden_act": FAMILIES[family].hidden_act, **raw}
    for name, values in known.items():
        if stated.get(name) not in values:
            raise CheckpointError(
                f"{path}: {name} is {_shown(stated.get(name))}", f"only plain {family} models can be built"
            )
    rope = raw.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise CheckpointError(
            f"{path}: rope_type is {_shown(rope['rope_type'])}", "only plain rotary embeddings can be built"
        )


def _sliding_window(path: Path, raw: dict[str, Any], positions: int) -> int | None:
    """Mistral's window; Qwen's applies to some layers only and is off in its models."""
    if raw.get("use_sliding_window"):
        raise CheckpointError(f"{path}: use_sliding_window is set", "only models whose layers are alike can be built")
    if raw["model_type"] != "mistral" or raw.get("sliding_window") is None:
        return None
    window = _whole(raw, "sliding_window")
    return window if window < positions else None
