"""Queries, keys and values of exact graphs: projection, rotation, quantisation to 8 bits. Owns the order of their channels.

One product gives all three. The values are carried through the rotation with the others, by an angle of 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmzip.quantize.config import DecoderConfig
from llmzip.quantize.graph import GraphWriter

from .operations import ZERO_POINT, Normalization, OneByte, Operations, normalization_unit
from .residual import RotatedWeights
from .weights import quantize_columns

_PROJECTIONS = ("q_proj", "k_proj", "v_proj")
_MOST_LEVELS = 2.0**50
"""Of a head's row: its largest number is then below 2^-36, and nothing beside the norm's epsilon."""
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rotation:
    """Factors of all heads, [batch, sequence, heads, head_dim]: `cos` of the numbers themselves, `sin` of those half a head away."""

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
    for name, sign, still in (("cos", 1.0, 1.0), ("sin", -1.0, 0.0)):
        angles = tables[name]
        table = np.concatenate(
            (np.float32(sign) * angles, angles, np.full((len(angles), config.head_dim), still)), axis=1
        )
        rows = ops.node("Gather", graph.constant(f"{name}_table", table.astype(np.float32)), "position_ids", axis=0)
        parts = ops.split(ops.node("Unsqueeze", rows, ops.integers(2)), -1, config.head_dim, config.head_dim)
        turns[name] = ops.node("Concat", *[parts[0]] * turning, *[parts[1]] * config.num_key_value_heads, axis=2)
    return Rotation(**turns)


class Heads:
    """The queries, keys and values of one layer; `query_factor` is a constant that the queries' scales are multiplied by."""

    def __init__(
        self, graph: GraphWriter, weights: RotatedWeights, layer: int, turn: Rotation, query_factor: float
    ) -> None:
        config = weights.config
        self._ops = Operations(graph, f"/model/layers.{layer}/self_attn/heads")
        self._weights, self._config, self._layer, self._turn = weights, config, layer, turn
        self._sizes = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        self._query_factor = query_factor

    def build(self, x: OneByte, norm: Normalization) -> tuple[Rows, Rows, Rows]:
        """Queries, keys and values of the normalised `x`."""
        ops = self._ops
        projected = self._projected(x, norm)
        factors = self._factors(projected, norm)
        if self._config.family.qk_norm:
            projected = ops.node("Mul", projected, self._head_norms())
        turned = self._rotated(projected)
        rows = ops.one_byte(turned)
        parts = ops.split(ops.transpose(rows.integers, 0, 2, 1, 3), 1, *self._sizes)
        scales = ops.split(ops.transpose(ops.node("Mul", rows.peak, factors), 0, 2, 3, 1), 1, *self._sizes)
        queries, keys, values = (Rows(*pair) for pair in zip(parts, scales, strict=True))
        return queries, keys, values

    def _projected(self, x: OneByte, norm: Normalization) -> str:
        """All heads, [batch, sequence, heads, head_dim]: real with biases, else without the rows' factor."""
        ops, config = self._ops, self._config
        at = f"model.layers.{self._layer}.self_attn"
        names = [f"self_attn.{name}" for name in _PROJECTIONS]
        columns = quantize_columns(self._weights.reading(self._layer, "input_layernorm", *names))
        if self._constants_are_of_columns:
            columns = columns.times(np.repeat(self._constants()[:, 0], config.head_dim))
        product = ops.product(x, f"{at}.qkv", columns)
        if config.family.qkv_bias:
            bias = np.concatenate([self._weights.bias(self._layer, name) for name in names])
            scale = ops.scaled(norm.factor, 1 / normalization_unit(config.hidden_size))
            product = ops.node("Add", ops.node("Mul", product, scale), ops.graph.constant(f"{at}.qkv.bias", bias))
        return ops.reshape(product, 0, 0, sum(self._sizes), config.head_dim)

    @property
    def _constants_are_of_columns(self) -> bool:
        """Whether nothing is added to the products or computed from their size, so that constants may be the columns'."""
        return not (self._config.family.qkv_bias or self._config.family.qk_norm)

    def _constants(self) -> npt.NDArray[np.float64]:
        """What is constant of the scale of each head, [heads, 1]."""
        constants = np.full((sum(self._sizes), 1), 1 / ZERO_POINT)
        constants[: self._sizes[0]] *= self._query_factor
        if not self._config.family.qkv_bias:
            constants /= normalization_unit(self._config.hidden_size)
        return constants

    def _factors(self, projected: str, norm: Normalization) -> str:
        """What the peak of a row must be multiplied by to be its scale, [.., heads, 1]."""
        ops, config = self._ops, self._config
        if config.family.qkv_bias:
            return self._constant("factors", self._constants())
        # The rows' common factor was left out of the products: only the scales need it.
        rows = ops.node("Unsqueeze", norm.factor, ops.integers(-1))
        if self._constants_are_of_columns:
            return rows
        turning, unit = self._sizes[0] + self._sizes[1], normalization_unit(config.hidden_size)
        constants = self._constants()
        plain, _ = ops.split(projected, 2, turning, self._sizes[2])
        x = ops.two_bytes(plain)
        levels = ops.node("Mul", x.levels, ops.node("Unsqueeze", ops.scaled(norm.root, unit / 2), ops.integers(-1)))
        # A head of zeros has no levels of its own: what stands for them must have a square, or its scale would be 0, and nothing masked.
        levels = ops.node("Min", levels, ops.number(_MOST_LEVELS))
        inner = ops.normalization(x, config.head_dim, config.rms_norm_eps, levels)
        normed = ops.node("Mul", x.levels, inner.factor)
        inner_unit = normalization_unit(config.head_dim)
        return ops.node(
            "Concat",
            ops.node("Mul", normed, self._constant("factors.normed", constants[:turning] * (unit / inner_unit))),
            ops.node("Mul", rows, self._constant("factors.plain", constants[turning:])),
            axis=2,
        )

    def _constant(self, name: str, values: npt.NDArray[np.float64]) -> str:
        return self._ops.graph.constant(f"model.self_attn.{name}", values.astype(np.float32))

    def _head_norms(self) -> str:
        """The weights of the heads' norms, 1 for values, [heads, head_dim]."""
        names = zip(("q_norm", "k_norm"), self._sizes, strict=False)
        whole = [np.tile(self._weights.head_norm(self._layer, f"self_attn.{name}"), (size, 1)) for name, size in names]
        whole.append(np.ones((self._sizes[2], self._config.head_dim), np.float32))
        at = f"model.layers.{self._layer}.self_attn.head_norm"
        return self._ops.graph.constant(at, np.concatenate(whole))

    def _rotated(self, x: str) -> str:
        """Turn the halves of all heads against each other."""
        ops, half = self._ops, self._config.head_dim // 2
        first, second = ops.split(x, -1, half, half)
        swapped = ops.node("Concat", second, first, axis=-1)
        return ops.node("Add", ops.node("Mul", x, self._turn.cos), ops.node("Mul", swapped, self._turn.sin))
