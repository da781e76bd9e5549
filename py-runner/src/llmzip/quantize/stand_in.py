"""Stand-ins: models of a known model's exact shape with random weights, for speed and scale where the real file is not at hand.

Owns the shapes and the seeds. The same seed gives the same weights, whatever is asked for first.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .checkpoint import Array, linear_shapes
from .config import DecoderConfig

SHAPES = {
    "smollm2-135m": DecoderConfig(
        model_type="llama",
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        head_dim=64,
        max_position_embeddings=8192,
        rope_theta=100_000.0,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        sliding_window=None,
    )
}
"""The shapes there are, by name; from the models' own `config.json`."""


@dataclass(frozen=True)
class RandomWeights:
    """Weights of a shape (see `checkpoint.Weights`): normal, with the standard deviation that the model is initialised with."""

    config: DecoderConfig
    seed: int = 0

    def embedding(self) -> Array:
        """The token embedding, [vocab, hidden]."""
        return self._normal("embed_tokens", (self.config.vocab_size, self.config.hidden_size))

    def head(self) -> Array | None:
        """The head, [vocab, hidden], or None when it is the embedding."""
        if self.config.tie_word_embeddings:
            return None
        return self._normal("lm_head", (self.config.vocab_size, self.config.hidden_size))

    def norm(self, name: str) -> Array:
        """The weight of a norm, [hidden]: ones, whatever its `name`."""
        del name
        return np.ones(self.config.hidden_size, np.float32)

    def linear(self, layer: int, name: str) -> Array:
        """The weight of a linear layer, [out, in]."""
        return self._normal(f"layers.{layer}.{name}", linear_shapes(self.config)[name])

    def bias(self, layer: int, name: str) -> Array:
        """The bias of a linear layer, [out]."""
        return self._normal(f"layers.{layer}.{name}.bias", linear_shapes(self.config)[name][:1])

    def head_norm(self, layer: int, name: str) -> Array:
        """The weight of the norm of a head, [head_dim]: ones."""
        del layer, name
        return np.ones(self.config.head_dim, np.float32)

    def _normal(self, name: str, shape: Sequence[int]) -> Array:
        # A generator for each tensor, so that the order of the calls does not matter.
        generator = np.random.default_rng([self.seed, zlib.crc32(name.encode())])
        deviation = self.config.hidden_size**-0.5
        return (generator.standard_normal(tuple(shape), dtype=np.float32) * np.float32(deviation)).astype(np.float32)
