"""The weights of one model folder: `config.json` and `model.safetensors`. Owns the names and shapes of its tensors.

A sharded checkpoint is not read: its parts have no single SHA-256 to be known by.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .config import DecoderConfig
from .safetensors import SafetensorsFile

Array = npt.NDArray[np.float32]


class Weights(Protocol):
    """Where a graph's weights come from; all are float32, matrices [out, in]."""

    @property
    def config(self) -> DecoderConfig:
        """The model's sizes."""

    def embedding(self) -> Array:
        """The token embedding, [vocab, hidden]."""

    def head(self) -> Array | None:
        """The head, [vocab, hidden], or None when it is the embedding."""

    def norm(self, name: str) -> Array:
        """The weight of the norm `name` (such as "layers.0.input_layernorm"), [hidden]."""

    def linear(self, layer: int, name: str) -> Array:
        """The weight of a linear layer (such as "self_attn.q_proj"), [out, in]."""

    def bias(self, layer: int, name: str) -> Array:
        """The bias of a linear layer, [out]."""

    def head_norm(self, layer: int, name: str) -> Array:
        """The weight of the norm of a head ("self_attn.q_norm"), [head_dim]."""


def linear_shapes(config: DecoderConfig) -> dict[str, tuple[int, int]]:
    """Shapes [out, in] of a layer's linear layers, by name."""
    hidden, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    return {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }


class Checkpoint:
    """Config and weights of a checkpoint folder; each access reads the tensor anew."""

    def __init__(self, folder: Path) -> None:
        self.config = DecoderConfig.read(folder / "config.json")
        self.path = folder / "model.safetensors"
        self._file = SafetensorsFile(self.path)

    def embedding(self) -> Array:
        """Return the token embedding, [vocab, hidden]."""
        config = self.config
        return self._file.float32("model.embed_tokens.weight", (config.vocab_size, config.hidden_size))

    def head(self) -> Array | None:
        """Return the head, [vocab, hidden], or None when it is the embedding."""
        config = self.config
        if config.tie_word_embeddings:
            return None
        return self._file.float32("lm_head.weight", (config.vocab_size, config.hidden_size))

    def norm(self, name: str) -> Array:
        """Return the weight of the norm `name` (such as "layers.0.input_layernorm"), [hidden]."""
        return self._file.float32(f"model.{name}.weight", (self.config.hidden_size,))

    def linear(self, layer: int, name: str) -> Array:
        """Return the weight of a linear layer (such as "self_attn.q_proj"), [out, in]."""
        return self._file.float32(f"model.layers.{layer}.{name}.weight", linear_shapes(self.config)[name])

    def bias(self, layer: int, name: str) -> Array:
        """Return the bias of a linear layer, [out]."""
        return self._file.float32(f"model.layers.{layer}.{name}.bias", linear_shapes(self.config)[name][:1])

    def head_norm(self, layer: int, name: str) -> Array:
        """Return the weight of the norm of a head ("self_attn.q_norm"), [head_dim]."""
        return self._file.float32(f"model.layers.{layer}.{name}.weight", (self.config.head_dim,))
