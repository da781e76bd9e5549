"""Attention of exact graphs: rotation, the integer cache, softmax. Owns the order of these nodes and the cache's layout.

Queries, keys and values are quantised to 8 bits, a row of a head at a time; the cache keeps keys as [batch, heads, head_dim, past] and values as
[batch, heads, past, head_dim], uint8 around 128, with their scales as [batch, heads, 1, past].
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from llmzip.quantize.checkpoint import LlamaConfig
from llmzip.quantize.graph import GraphWriter

from .exponential import exponential, root_scale
from .operations import PEAK, ZERO_POINT, Operations, TwoBytes, normalization_unit
from .weights import quantize_columns

_PROBABILITY_BITS = 15
_MASKED = float(-(2.0**100))
CACHE_PARTS = ("key", "key_scale", "value", "value_scale")


@dataclass(frozen=True)
class Shared:
    """What all layers use: cosines and sines [batch, sequence, all heads * head_dim / 2] and the mask to add to scores."""

    cos: str
    sin: str
    bias: str


def declare_caches(graph: GraphWriter, config: LlamaConfig) -> None:
    """Declare the cache of every layer as inputs and outputs."""
    for declare, name, length in (
        (graph.input, "past_key_values", "past_sequence_length"),
        (graph.output, "present", "total_sequence_length"),
    ):
        for layer in range(config.num_hidden_layers):
            for part in CACHE_PARTS:
                kind = TensorProto.FLOAT if part.endswith("scale") else TensorProto.UINT8
                inner = 1 if kind == TensorProto.FLOAT else config.head_dim
                shape: list[int | str] = ["batch_size", config.num_key_value_heads, inner, length]
                if part == "value":
                    shape[2], shape[3] = shape[3], shape[2]
                declare(f"{name}.{layer}.{part}", kind, shape)


def shared(graph: GraphWriter, config: LlamaConfig, tables: dict[str, npt.NDArray[np.float32]]) -> Shared:
    """Add what all layers use; `tables` are `cos` and `sin` by position, [positions, head_dim / 2]."""
    ops = Operations(graph, "/model/rotary")
    rotated = config.num_attention_heads + config.num_key_value_heads
    turns = []
    for name, still in (("cos", 1.0), ("sin", 0.0)):
        # The values are carried through the rotation with the others, by an angle of 0.
        table = np.concatenate((tables[name], np.full_like(tables[name], still)), axis=1)
        rows = ops.node("Gather", graph.constant(f"{name}_table", table), "position_ids", axis=0)
        moving, resting = ops.split(rows, -1, table.shape[1] // 2, table.shape[1] // 2)
        turns.append(ops.node("Concat", *[moving] * rotated, *[resting] * config.num_key_value_heads, axis=-1))
    return Shared(turns[0], turns[1], _bias(graph))


def _bias(graph: GraphWriter) -> str:
    """0 where a query may look at a key, else a number that drowns every score: [batch, 1, sequence, total]."""
    ops = Operations(graph, "/model/mask")
    zero, one = ops.number(0, np.int64), ops.number(1, np.int64)
    total = ops.node("Gather", ops.node("Shape", "attention_mask"), one, axis=0)
    length = ops.node("Gather", ops.node("Shape", "input_ids"), one, axis=0)
    queries = ops.reshape(ops.node("Range", ops.node("Sub", total, length), total, one), -1, 1)
    seen = ops.node("LessOrEqual", ops.node("Range", zero, total, one), queries)
    causal = ops.node("Where", seen, ops.number(0.0), ops.number(_MASKED))
    absent = ops.node("Sub", ops.number(1.0), ops.node("Cast", "attention_mask", to=TensorProto.FLOAT))
    padding = ops.node("Unsqueeze", ops.scaled(absent, _MASKED), ops.integers(1, 2))
    return ops.node("Add", padding, causal)


def first_and_second(weight: npt.NDArray[np.float32], head_dim: int) -> list[npt.NDArray[np.float32]]:
    """The rows of [heads * head_dim, in] that give the first halves of all heads, and those that give the second."""
    heads = weight.reshape(-1, 2, head_dim // 2, weight.shape[1])
    return [np.ascontiguousarray(heads[:, half].reshape(-1, weight.shape[1])) for half in (0, 1)]


class Attention:
    """The attention of one layer, without the product that follows it."""

    def __init__(self, graph: GraphWriter, config: LlamaConfig, layer: int, shared_names: Shared) -> None:
        self._ops = Operations(graph, f"/model/layers.{layer}/self_attn")
        self._config = config
        self._layer = layer
        self._shared = shared_names

    def build(self, x: TwoBytes, normalization: str, weight: npt.NDArray[np.float32]) -> str:
        """Attend; `weight` is q, k and v below each other, [.., hidden], `normalization` as `Operations` gives it. Gives [batch, sequence, heads * head_dim]."""
        queries, query_scales, keys, key_scales, values, value_scales = self._heads(x, normalization, weight)
        present = {
            "key": self._append("key", self._ops.transpose(keys, 0, 1, 3, 2), 3),
            "key_scale": self._append("key_scale", key_scales, 3),
            "value": self._append("value", values, 2),
            "value_scale": self._append("value_scale", value_scales, 3),
        }
        scores = self._scores(queries, query_scales, present["key"], present["key_scale"])
        return self._mixed(scores, present["value"], present["value_scale"])

    def _append(self, part: str, new: str, axis: int) -> str:
        past, result = (f"{name}.{self._layer}.{part}" for name in ("past_key_values", "present"))
        self._ops.graph.node("Concat", f"/model/layers.{self._layer}/{part}/Concat", [past, new], [result], axis=axis)
        return result

    def _heads(self, x: TwoBytes, normalization: str, weight: npt.NDArray[np.float32]) -> list[str]:
        """Queries, keys and values, each [batch, heads, sequence, head_dim] as uint8, followed by their scales [batch, heads, 1, sequence]."""
        ops, config = self._ops, self._config
        at = f"model.layers.{self._layer}.self_attn.qkv"
        halves = [
            ops.product(x, f"{at}.{name}", quantize_columns(rows))
            for name, rows in zip(("first", "second"), first_and_second(weight, config.head_dim), strict=True)
        ]
        turned = self._rotated(*halves)
        peak = ops.peak(turned)
        # The integer 128 is out of range and becomes 127: less than what rounding costs.
        integers = ops.quantized(ops.node("Mul", turned, ops.reciprocal(peak, ZERO_POINT)), 1, ZERO_POINT)
        sizes = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        parts = ops.split(ops.transpose(integers, 0, 2, 1, 3), 1, *sizes)
        # The rows' common factor was left out of the product: only the scales need it.
        factor = ops.node("Mul", ops.node("Unsqueeze", normalization, ops.integers(-1)), self._scale_factors())
        scales = ops.split(ops.transpose(ops.node("Mul", peak, factor), 0, 2, 3, 1), 1, *sizes)
        return [each for pair in zip(parts, scales, strict=True) for each in pair]

    def _scale_factors(self) -> str:
        """Constant factors of the heads' scales, [heads, 1]; those of the queries hold what scores are multiplied by."""
        config = self._config
        factors = np.full((config.num_attention_heads + 2 * config.num_key_value_heads, 1), 1.0)
        factors[: config.num_attention_heads] = config.head_dim**-0.5 * root_scale(_PROBABILITY_BITS)
        factors /= ZERO_POINT * normalization_unit(config.hidden_size)
        return self._ops.graph.constant("model.self_attn.scale_factors", factors.astype(np.float32))

    def _rotated(self, first: str, second: str) -> str:
        """Turn the halves of all heads against each other: [batch, sequence, heads, head_dim]."""
        ops, cos, sin = self._ops, self._shared.cos, self._shared.sin
        turned = (
            ops.node("Sub", ops.node("Mul", first, cos), ops.node("Mul", second, sin)),
            ops.node("Add", ops.node("Mul", second, cos), ops.node("Mul", first, sin)),
        )
        heads = self._config.num_attention_heads + 2 * self._config.num_key_value_heads
        return ops.node("Concat", *(ops.reshape(half, 0, 0, heads, -1) for half in turned), axis=-1)

    def _scores(self, queries: str, query_scales: str, keys: str, key_scales: str) -> str:
        """2^15 * exp(score - the row's largest), [batch, heads, sequence, total]."""
        ops, config = self._ops, self._config
        grouped = ops.reshape(queries, 0, config.num_key_value_heads, -1, config.head_dim)
        integers = ops.node("Cast", ops.matrix(grouped, keys, ZERO_POINT, ZERO_POINT), to=TensorProto.FLOAT)
        scores = ops.reshape(ops.node("Mul", integers, key_scales), 0, config.num_attention_heads, -1, 0)
        seen = ops.node("Add", scores, self._shared.bias)
        below = ops.node("Sub", seen, ops.node("ReduceMax", seen, axes=[-1], keepdims=1))
        root = ops.node("Mul", below, ops.reshape(query_scales, 0, config.num_attention_heads, -1, 1))
        return exponential(ops, root, _PROBABILITY_BITS)

    def _mixed(self, weights: str, values: str, value_scales: str) -> str:
        """The values' mean by `weights`: [batch, sequence, heads * head_dim]."""
        ops, config = self._ops, self._config
        whole = ops.node("Cast", weights, to=TensorProto.INT32)
        total = ops.node("Cast", ops.node("ReduceSum", whole, ops.integers(-1), keepdims=1), to=TensorProto.FLOAT)
        grouped = ops.node("Mul", ops.reshape(weights, 0, config.num_key_value_heads, -1, 0), value_scales)
        largest = ops.node("ReduceMax", grouped, axes=[-1], keepdims=1)
        levels = ops.node("Mul", grouped, ops.reciprocal(largest, 2 * PEAK))
        high, low, _ = ops.split_bytes(levels, 0)
        parts = [ops.matrix(part, values, zero, ZERO_POINT) for part, zero in ((high, 0), (low, ZERO_POINT))]
        # Longer contexts would not fit into int32.
        mixed = ops.reshape(ops.joined(*parts, bound=2**63), 0, config.num_attention_heads, -1, config.head_dim)
        factor = ops.reshape(ops.scaled(largest, 1 / (4 * PEAK)), 0, config.num_attention_heads, -1, 1)
        mean = ops.node("Mul", mixed, ops.node("Mul", ops.reciprocal(total, 2.0), factor))
        return ops.reshape(ops.transpose(mean, 0, 2, 1, 3), 0, 0, -1)
