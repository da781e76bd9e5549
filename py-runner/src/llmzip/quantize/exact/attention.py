"""Attention of exact graphs: the integer cache, scores, softmax, the mean of values. Owns the cache's layout.

The cache keeps keys as [batch, heads, head_dim, past] and values as [batch, heads, past, head_dim], uint8 around ZERO_POINT, with their
scales as [batch, heads, 1, past].
"""

import math

import numpy as np
from onnx import TensorProto

from llmzip.quantize.config import DecoderConfig
from llmzip.quantize.graph import GraphWriter

from .exponential import exponential, root_scale
from .heads import Rows
from .operations import ZERO_POINT, Operations

_PROBABILITY_BITS = 15
_MASKED = float(-(2.0**100))
_HIGH_PEAK = 128
_LOW_UNITS = 256
"""A weight of a value is `high * _LOW_UNITS + low` of two bytes, `high` at most `_HIGH_PEAK`."""
CACHE_PARTS = ("key", "key_scale", "value", "value_scale")


def declare_caches(graph: GraphWriter, config: DecoderConfig) -> None:
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


def mask(graph: GraphWriter, config: DecoderConfig) -> str:
    """0 where a query may look at a key, else a number that drowns every score: [batch, 1, group * sequence, total].

    Once for every head of a group, since the queries that share keys lie below each other.
    """
    ops = Operations(graph, "/model/mask")
    zero, one = ops.number(0, np.int64), ops.number(1, np.int64)
    total = ops.node("Gather", ops.node("Shape", "attention_mask"), one, axis=0)
    length = ops.node("Gather", ops.node("Shape", "input_ids"), one, axis=0)
    queries = ops.reshape(ops.node("Range", ops.node("Sub", total, length), total, one), -1, 1)
    keys = ops.node("Range", zero, total, one)
    seen = ops.node("LessOrEqual", keys, queries)
    if config.sliding_window is not None:
        first = ops.node("Sub", queries, ops.number(config.sliding_window, np.int64))
        seen = ops.node("And", seen, ops.node("Greater", keys, first))
    causal = ops.node("Where", seen, ops.number(0.0), ops.number(_MASKED))
    absent = ops.node("Sub", ops.number(1.0), ops.node("Cast", "attention_mask", to=TensorProto.FLOAT))
    padding = ops.node("Unsqueeze", ops.scaled(absent, _MASKED), ops.integers(1, 2))
    bias = ops.node("Add", padding, causal)
    group = config.num_attention_heads // config.num_key_value_heads
    return bias if group == 1 else ops.node("Concat", *[bias] * group, axis=2)


def query_factor(config: DecoderConfig) -> float:
    """What the scales of queries are multiplied by, so that scores come as the roots that `exponential` asks for."""
    return root_scale(_PROBABILITY_BITS) / math.sqrt(config.head_dim)


class Attention:
    """The attention of one layer, without the products before and behind it."""

    def __init__(self, graph: GraphWriter, config: DecoderConfig, layer: int, bias: str) -> None:
        self._ops = Operations(graph, f"/model/layers.{layer}/self_attn")
        self._config = config
        self._layer = layer
        self._bias = bias

    def build(self, queries: Rows, keys: Rows, values: Rows) -> str:
        """Attend; `queries` have `query_factor` in their scales. Gives [batch, sequence, heads * head_dim]."""
        key = self._append("key", self._ops.transpose(keys.integers, 0, 1, 3, 2), 3)
        key_scale = self._append("key_scale", keys.scales, 3)
        value = self._append("value", values.integers, 2)
        value_scale = self._append("value_scale", values.scales, 3)
        return self._mixed(self._exponentials(queries, key, key_scale), value, value_scale)

    def _append(self, part: str, new: str, axis: int) -> str:
        past, result = (f"{name}.{self._layer}.{part}" for name in ("past_key_values", "present"))
        self._ops.graph.node("Concat", f"/model/layers.{self._layer}/{part}/Concat", [past, new], [result], axis=axis)
        return result

    def _exponentials(self, queries: Rows, keys: str, key_scales: str) -> str:
        """2^15 * exp(score - the row's largest), [batch, key heads, group * sequence, total]."""
        ops, heads = self._ops, self._config.num_key_value_heads
        grouped = ops.reshape(queries.integers, 0, heads, -1, self._config.head_dim)
        integers = ops.node("Cast", ops.matrix(grouped, keys, ZERO_POINT, ZERO_POINT), to=TensorProto.FLOAT)
        seen = ops.node("Add", ops.node("Mul", integers, key_scales), self._bias)
        below = ops.node("Sub", seen, ops.node("ReduceMax", seen, axes=[-1], keepdims=1))
        root = ops.node("Mul", below, ops.reshape(queries.scales, 0, heads, -1, 1))
        return exponential(ops, root, _PROBABILITY_BITS)

    def _mixed(self, weights: str, values: str, value_scales: str) -> str:
        """The values' mean by `weights`: [batch, sequence, heads * head_dim]."""
        ops, config = self._ops, self._config
        whole = ops.node("Cast", weights, to=TensorProto.INT32)
        total = ops.node("Cast", ops.node("ReduceSum", whole, ops.integers(-1), keepdims=1), to=TensorProto.FLOAT)
        scaled = ops.node("Mul", weights, value_scales)
        largest = ops.node("ReduceMax", scaled, axes=[-1], keepdims=1)
        high, low = self._split(ops.node("Mul", scaled, ops.reciprocal(largest, _HIGH_PEAK)))
        # One product of both bytes: the values are rearranged for it but once.
        both = ops.matrix(ops.node("Concat", high, low, axis=2), values, 0, ZERO_POINT)
        coarse, fine = ops.nodes("Split", ops.node("Cast", both, to=TensorProto.FLOAT), outputs=2, axis=2)
        mixed = ops.node("Add", ops.scaled(coarse, _LOW_UNITS), fine)
        factor = ops.node("Mul", ops.reciprocal(total, 1 / (_HIGH_PEAK * _LOW_UNITS)), largest)
        mean = ops.reshape(ops.node("Mul", mixed, factor), 0, config.num_attention_heads, -1, config.head_dim)
        return ops.reshape(ops.transpose(mean, 0, 2, 1, 3), 0, 0, -1)

    def _split(self, x: str) -> tuple[str, str]:
        """Numbers in [0, _HIGH_PEAK] as whole numbers and what is left of them in units of 1 / _LOW_UNITS, both uint8 around 0."""
        ops = self._ops
        high = ops.node("Cast", x, to=TensorProto.UINT8)
        left = ops.node("Sub", x, ops.node("Cast", high, to=TensorProto.FLOAT))
        return high, ops.quantized(left, 1 / _LOW_UNITS, 0)
