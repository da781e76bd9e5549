"""A Llama checkpoint: `config.json` and `model.safetensors`. Owns what of a config is understood."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CheckpointError
from .safetensors import SafetensorsFile


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a Llama model, named as in `config.json`."""

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

    @classmethod
    def read(cls, path: Path) -> "LlamaConfig":
        """Read `config.json`. Raises CheckpointError for anything but a plain Llama model."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}", "get the file again") from error
        if not isinstance(raw, dict):
            raise CheckpointError(f"{path} is not a JSON object", "get the file again")
        _refuse_what_is_not_plain(path, raw)
        try:
            heads = int(raw["num_attention_heads"])
            rope = raw.get("rope_parameters") or {}
            return cls(
                vocab_size=int(raw["vocab_size"]),
                hidden_size=int(raw["hidden_size"]),
                intermediate_size=int(raw["intermediate_size"]),
                num_hidden_layers=int(raw["num_hidden_layers"]),
                num_attention_heads=heads,
                num_key_value_heads=int(raw.get("num_key_value_heads") or heads),
                head_dim=int(raw.get("head_dim") or int(raw["hidden_size"]) // heads),
                max_position_embeddings=int(raw["max_position_embeddings"]),
                rope_theta=float(raw.get("rope_theta") or rope.get("rope_theta") or 10000.0),
                rms_norm_eps=float(raw["rms_norm_eps"]),
                tie_word_embeddings=bool(raw.get("tie_word_embeddings", False)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{path} lacks a field or has a wrong one: {error!r}", "use the model's own config.json"
            ) from error


def _refuse_what_is_not_plain(path: Path, raw: dict[str, Any]) -> None:
    rope = raw.get("rope_parameters") or {}
    known: dict[str, tuple[object, ...]] = {
        "model_type": ("llama",),
        "hidden_act": ("silu",),
        "attention_bias": (None, False),
        "mlp_bias": (None, False),
        "rope_scaling": (None,),
        "rope_interleaved": (None, False),
    }
    for name, values in known.items():
        if raw.get(name) not in values:
            raise CheckpointError(f"{path}: {name} is {raw.get(name)!r}", "only plain Llama models can be built")
    if rope.get("rope_type", "default") != "default":
        raise CheckpointError(
            f"{path}: rope_type is {rope['rope_type']!r}", "only plain rotary embeddings can be built"
        )


class Checkpoint:
    """Config and weights of one model folder; weights come as float32 [out, in]."""

    def __init__(self, folder: Path) -> None:
        self.config = LlamaConfig.read(folder / "config.json")
        self._file = SafetensorsFile(folder / "model.safetensors")

    def embedding(self) -> npt.NDArray[np.float32]:
        """Return the token embedding, [vocab, hidden]."""
        config = self.config
        return self._file.float32("model.embed_tokens.weight", (config.vocab_size, config.hidden_size))

    def head(self) -> npt.NDArray[np.float32] | None:
        """Return the head, [vocab, hidden], or None when it is the embedding."""
        config = self.config
        if config.tie_word_embeddings:
            return None
        return self._file.float32("lm_head.weight", (config.vocab_size, config.hidden_size))

    def norm(self, name: str) -> npt.NDArray[np.float32]:
        """Return the weight of the norm `name` (such as "layers.0.input_layernorm"), [hidden]."""
        return self._file.float32(f"model.{name}.weight", (self.config.hidden_size,))

    def linear(self, layer: int, name: str) -> npt.NDArray[np.float32]:
        """Return the weight of a linear layer (such as "self_attn.q_proj"), [out, in]."""
        config = self.config
        hidden, inner = config.hidden_size, config.intermediate_size
        queries = config.num_attention_heads * config.head_dim
        keys = config.num_key_value_heads * config.head_dim
        shapes = {
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        return self._file.float32(f"model.layers.{layer}.{name}.weight", shapes[name])
