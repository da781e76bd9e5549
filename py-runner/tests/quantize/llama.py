"""A random checkpoint of a Llama-like family on disk, its graphs and, in plain numpy, what it computes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from llmzip.quantize import PRESETS, Checkpoint, NbitsSettings, quantized_flavours, serialised
from llmzip.quantize.export.own import export_own

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

BLOCK = 32


@dataclass(frozen=True)
class Sizes:
    """A shape that no two dimensions share, so that a swapped axis cannot go unseen."""

    vocab: int = 96
    hidden: int = 64
    inner: int = 160
    layers: int = 2
    heads: int = 6
    kv_heads: int = 2
    head_dim: int = 16
    positions: int = 48
    theta: float = 1000.0
    eps: float = 1e-5
    tied: bool = True
    family: str = "llama"
    window: int | None = None


def random_weights(sizes: Sizes, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Weights by Hugging Face name; linear ones lie on a 4-bit grid, all are exact in float16 and bfloat16."""
    rng = np.random.default_rng(seed)

    def grid(rows: int, columns: int) -> npt.NDArray[np.float32]:
        block = math.gcd(columns, BLOCK)
        q = rng.integers(-8, 8, (rows, columns // block, block))
        scale = np.exp2(rng.integers(-7, -4, (rows, columns // block, 1)))
        return (q * scale).reshape(rows, columns).astype(np.float32)

    def dense(*shape: int, center: float = 0.0) -> npt.NDArray[np.float32]:
        return (center + rng.integers(-64, 65, shape) / 128).astype(np.float32)

    queries, keys = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    weights = {
        "model.embed_tokens.weight": dense(sizes.vocab, sizes.hidden),
        "model.norm.weight": dense(sizes.hidden, center=1.0),
    }
    for layer in range(sizes.layers):
        at = f"model.layers.{layer}"
        weights |= {
            f"{at}.input_layernorm.weight": dense(sizes.hidden, center=1.0),
            f"{at}.post_attention_layernorm.weight": dense(sizes.hidden, center=1.0),
            f"{at}.self_attn.q_proj.weight": grid(queries, sizes.hidden),
            f"{at}.self_attn.k_proj.weight": grid(keys, sizes.hidden),
            f"{at}.self_attn.v_proj.weight": grid(keys, sizes.hidden),
            f"{at}.self_attn.o_proj.weight": grid(sizes.hidden, queries),
            f"{at}.mlp.gate_proj.weight": grid(sizes.inner, sizes.hidden),
            f"{at}.mlp.up_proj.weight": grid(sizes.inner, sizes.hidden),
            f"{at}.mlp.down_proj.weight": grid(sizes.hidden, sizes.inner),
        }
        for name, rows in (("q", queries), ("k", keys), ("v", keys)):
            if sizes.family == "qwen2":
                weights[f"{at}.self_attn.{name}_proj.bias"] = dense(rows)
            if sizes.family == "qwen3" and name != "v":
                weights[f"{at}.self_attn.{name}_norm.weight"] = dense(sizes.head_dim, center=1.0)
    if not sizes.tied:
        weights["lm_head.weight"] = grid(sizes.vocab, sizes.hidden)
    return weights


def config(sizes: Sizes) -> dict[str, Any]:
    """`config.json` of the shape."""
    return {
        "model_type": sizes.family,
        "hidden_act": "silu",
        "vocab_size": sizes.vocab,
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "head_dim": sizes.head_dim,
        "max_position_embeddings": sizes.positions,
        "rope_theta": sizes.theta,
        "rms_norm_eps": sizes.eps,
        "tie_word_embeddings": sizes.tied,
        "sliding_window": sizes.window,
    }


def encode(array: npt.NDArray[np.float32], kind: str) -> bytes:
    """The bytes of a tensor in one of the safetensors types; bfloat16 cuts the low half off."""
    if kind == "F16":
        return array.astype("<f2").tobytes()
    if kind == "BF16":
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype("<f4").tobytes()


def safetensors(weights: dict[str, npt.NDArray[np.float32]], kind: str = "F32") -> bytes:
    """A whole safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in weights.items():
        raw = encode(array, kind)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def write_checkpoint(folder: Path, sizes: Sizes, seed: int = 1, kind: str = "F32") -> dict[str, Any]:
    """Write config.json and model.safetensors; give the weights."""
    weights = random_weights(sizes, seed)
    (folder / "config.json").write_text(json.dumps(config(sizes)))
    (folder / "model.safetensors").write_bytes(safetensors(weights, kind))
    return weights


def graph(folder: Path, flavour: str, settings: NbitsSettings = PRESETS["transformers-js"]) -> bytes:
    """The graph of a checkpoint in one flavour."""
    return serialised(quantized_flavours(export_own(Checkpoint(folder)), settings, [flavour])[flavour])


def _norm(x: Array, weight: Array, eps: float) -> Array:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def _rotate(x: Array, theta: float) -> Array:
    """Rotate [sequence, heads, head_dim] by position: dimension i turns with dimension i + head_dim / 2."""
    length, _, dim = x.shape
    rate = theta ** (-np.arange(0, dim, 2) / dim)
    turn = np.exp(1j * np.arange(length)[:, None] * rate)[:, None, :]
    turned = (x[..., : dim // 2] + 1j * x[..., dim // 2 :]) * turn
    return np.concatenate((turned.real, turned.imag), axis=-1)


def logits(weights: dict[str, npt.NDArray[np.float32]], sizes: Sizes, ids: list[int]) -> Array:
    """Logits [sequence, vocab] in float64, one head and one position at a time where that is plainer."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x = w["model.embed_tokens.weight"][ids]
    length, group = len(ids), sizes.heads // sizes.kv_heads
    for layer in range(sizes.layers):
        at = f"model.layers.{layer}"
        y = _norm(x, w[f"{at}.input_layernorm.weight"], sizes.eps)
        q, k, v = (
            (y @ w[f"{at}.self_attn.{name}_proj.weight"].T + w.get(f"{at}.self_attn.{name}_proj.bias", 0.0)).reshape(
                length, -1, sizes.head_dim
            )
            for name in "qkv"
        )
        if sizes.family == "qwen3":
            q, k = (_norm(z, w[f"{at}.self_attn.{name}_norm.weight"], sizes.eps) for z, name in ((q, "q"), (k, "k")))
        q, k = _rotate(q, sizes.theta), _rotate(k, sizes.theta)
        mixed = np.zeros((length, sizes.heads, sizes.head_dim))
        for head in range(sizes.heads):
            for position in range(length):
                first = 0 if sizes.window is None else max(0, position + 1 - sizes.window)
                keys, values = k[first : position + 1, head // group], v[first : position + 1, head // group]
                score = np.exp(keys @ q[position, head] / np.sqrt(sizes.head_dim))
                mixed[position, head] = score @ values / score.sum()
        x = x + mixed.reshape(length, -1) @ w[f"{at}.self_attn.o_proj.weight"].T
        y = _norm(x, w[f"{at}.post_attention_layernorm.weight"], sizes.eps)
        gate, up = y @ w[f"{at}.mlp.gate_proj.weight"].T, y @ w[f"{at}.mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[f"{at}.mlp.down_proj.weight"].T
    y = _norm(x, w["model.norm.weight"], sizes.eps)
    return y @ w["model.embed_tokens.weight" if sizes.tied else "lm_head.weight"].T
