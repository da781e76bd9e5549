"""Queries, keys and values of exact graphs: projection, rotation, quantisation to 8 bits. Owns the order of their channels.

The projections give the first halves of all heads and, apart from them, the second halves, so that the rotation needs no
cutting. The values are carried through the rotation with the others, by an angle of 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmzip.quantize.checkpoint import Weights
from llmzip.quantize.config import DecoderConfig
from llmzip.quantize.graph import GraphWriter

from .operations import ZERO_POINT, Normalization, Operations, TwoBytes, normalization_unit
from .weights import quantize_columns

_PROJECTIONS = ("q_proj", "k_proj", "v_proj")
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rotation:
    """Cosines and sines of all heads, [batch, sequence, heads * head_dim / 2]."""

    cos: str
    sin: str


@dataclass(frozen=True)
class Rows:
    """Heads' rows [batch, heads, sequence, head_dim] as uint8 around ZERO_POINT, and their scales [batch, heads, 1, sequence]."""

    integers: str
    scales: str


def rotation(graph: GraphWriter, config: DecoderConfig, tables: dict[str, Array]) -> Rotation:
    """Add the rotation of all layers; `tables` are `cos` and `sin` by position, [positions, head_dim / 2]."""
    ops = Operations(graph, "/model/rotary")
    turning = config.num_attention_heads + config.num_key_value_heads
    turns = {}
    for name, still in (("cos", 1.0), ("sin", 0.0)):
        table = np.concatenate((tables[name], np.full_like(tables[name], still)), axis=1)
        rows = ops.node("Gather", graph.constant(f"{name}_table", table), "position_ids", axis=0)
        moving, resting = ops.split(rows, -1, config.head_dim // 2, config.head_dim // 2)
        turns[name] = ops.node("Concat", *[moving] * turning, *[resting] * config.num_key_value_heads, axis=-1)
    return Rotation(**turns)


def halves(rows: Array, head_dim: int) -> tuple[Array, Array]:
    """The rows of [heads * head_dim, ..] that give the first halves of all heads, and those that give the second."""
    cut = rows.reshape(-1, 2, head_dim // 2, *rows.shape[1:])
    first, second = (np.ascontiguousarray(cut[:, half].reshape(-1, *rows.shape[1:])) for half in (0, 1))
    return first, second


class Heads:
    """The queries, keys and values of one layer; `query_factor` is a constant that the queries' scales are multiplied by."""

    def __init__(self, graph: GraphWriter, weights: Weights, layer: int, turn: Rotation, query_factor: float) -> None:
        config = weights.config
        self._ops = Operations(graph, f"/model/layers.{layer}/self_attn/heads")
        self._weights, self._config, self._layer, self._turn = weights, config, layer, turn
        self._sizes = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        self._query_factor = query_factor

    def build(self, x: TwoBytes, norm: Normalization) -> tuple[Rows, Rows, Rows]:
        """Queries, keys and values of the normalised `x`."""
        ops = self._ops
        first, second = self._projected(x, norm)
        factors = self._factors(first, second, norm)
        if self._config.family.qk_norm:
            first, second = (
                ops.node("Mul", each, w) for each, w in zip((first, second), self._head_norms(), strict=True)
            )
        turned = self._joined(*self._rotated(first, second))
        peak = ops.peak(turned)
        # The integer 128 is out of range and becomes 127: less than what rounding costs.
        integers = ops.quantized(ops.node("Mul", turned, ops.reciprocal(peak, ZERO_POINT)), 1, ZERO_POINT)
        parts = ops.split(ops.transpose(integers, 0, 2, 1, 3), 1, *self._sizes)
        scales = ops.split(ops.transpose(ops.node("Mul", peak, factors), 0, 2, 3, 1), 1, *self._sizes)
        queries, keys, values = (Rows(*pair) for pair in zip(parts, scales, strict=True))
        return queries, keys, values

    def _projected(self, x: TwoBytes, norm: Normalization) -> tuple[str, str]:
        """Both halves of all heads, [batch, sequence, heads * head_dim / 2]: real with biases, else without the rows' factor."""
        ops, config = self._ops, self._config
        at = f"model.layers.{self._layer}.self_attn"
        names = [f"self_attn.{name}" for name in _PROJECTIONS]
        weight = np.concatenate([self._weights.linear(self._layer, name) for name in names])
        weight = weight * self._weights.norm(f"layers.{self._layer}.input_layernorm")
        products = [
            ops.product(x, f"{at}.qkv.{name}", quantize_columns(rows))
            for name, rows in zip(("first", "second"), halves(weight, config.head_dim), strict=True)
        ]
        if not config.family.qkv_bias:
            return products[0], products[1]
        bias = np.concatenate([self._weights.bias(self._layer, name) for name in names])
        scale = ops.scaled(norm.factor, 1 / normalization_unit(config.hidden_size))
        first, second = (
            ops.node("Add", ops.node("Mul", product, scale), ops.graph.constant(f"{at}.bias.{name}", rows))
            for product, name, rows in zip(products, ("first", "second"), halves(bias, config.head_dim), strict=True)
        )
        return first, second

    def _factors(self, first: str, second: str, norm: Normalization) -> str:
        """What the peak of a row must be multiplied by to be its scale, [.., heads, 1]."""
        ops, config = self._ops, self._config
        constants = np.full((sum(self._sizes), 1), 1 / ZERO_POINT)
        constants[: self._sizes[0]] *= self._query_factor
        if config.family.qkv_bias:
            return self._constant("factors", constants)
        # The rows' common factor was left out of the products: only the scales need it.
        rows = ops.node("Unsqueeze", norm.factor, ops.integers(-1))
        unit = normalization_unit(config.hidden_size)
        if not config.family.qk_norm:
            return ops.node("Mul", rows, self._constant("factors", constants / unit))
        turning = self._sizes[0] + self._sizes[1]
        plain, _ = ops.split(self._joined(first, second), 2, turning, self._sizes[2])
        x = ops.two_bytes(plain)
        levels = ops.node("Mul", x.levels, ops.node("Unsqueeze", ops.scaled(norm.root, unit / 2), ops.integers(-1)))
        inner = ops.normalization(x, config.head_dim, config.rms_norm_eps, levels)
        normed = ops.node("Mul", x.levels, inner.factor)
        inner_unit = normalization_unit(config.head_dim)
        return ops.node(
            "Concat",
            ops.node("Mul", normed, self._constant("factors.normed", constants[:turning] / inner_unit)),
            ops.node("Mul", rows, self._constant("factors.plain", constants[turning:] / unit)),
            axis=2,
        )

    def _constant(self, name: str, values: npt.NDArray[np.float64]) -> str:
        return self._ops.graph.constant(f"model.self_attn.{name}", values.astype(np.float32))

    def _head_norms(self) -> tuple[str, str]:
        """The weights of the heads' norms, 1 for values, both halves [heads * head_dim / 2]."""
        names = zip(("q_norm", "k_norm"), self._sizes, strict=False)
        whole = [np.tile(self._weights.head_norm(self._layer, f"self_attn.{name}"), size) for name, size in names]
        whole.append(np.ones(self._sizes[2] * self._config.head_dim, np.float32))
        first, second = halves(np.concatenate(whole), self._config.head_dim)
        at = f"model.layers.{self._layer}.self_attn.head_norm"
        return self._ops.graph.constant(f"{at}.first", first), self._ops.graph.constant(f"{at}.second", second)

    def _rotated(self, first: str, second: str) -> tuple[str, str]:
        """Turn the halves of all heads against each other."""
        ops, cos, sin = self._ops, self._turn.cos, self._turn.sin
        return (
            ops.node("Sub", ops.node("Mul", first, cos), ops.node("Mul", second, sin)),
            ops.node("Add", ops.node("Mul", second, cos), ops.node("Mul", first, sin)),
        )

    def _joined(self, first: str, second: str) -> str:
        """Both halves as [batch, sequence, heads, head_dim]."""
        ops = self._ops
        return ops.node("Concat", *(ops.reshape(half, 0, 0, sum(self._sizes), -1) for half in (first, second)), axis=-1)
