"""Small ONNX graphs with a cache, made to have every trait that a graph may declare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

VOCAB = 11
HEADS = 2
HEAD_SIZE = 4
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
}


@dataclass(frozen=True)
class Traits:
    """What the graph declares."""

    batch: int | str = "batch"
    sequence: int | str = "sequence"
    index_type: str = "int64"
    present_batch: int | str | None = None
    heads: int | str = HEADS
    head_size: int | str = HEAD_SIZE
    cache_type: str = "float32"
    logits_type: str = "float32"
    vocab: int | str = VOCAB
    mask: bool = True
    positions: bool = True
    present_name: str = "present.0.key"
    logits_name: str = "logits"
    extra_input: str | None = None
    poison: int | None = None


def graph(traits: Traits = Traits()) -> bytes:
    """A graph whose logits depend on the id, on all that is in the cache, and on mask and positions where it has them."""
    generator = np.random.default_rng(5)
    table = generator.integers(-40, 40, (VOCAB, VOCAB)).astype(np.float32) / 8
    if traits.poison is not None:
        table[traits.poison, 3] = np.nan
    keys = generator.integers(0, 50, (VOCAB, HEADS * HEAD_SIZE)).astype(np.float32)
    heads = np.array([0, 0, HEADS, HEAD_SIZE])
    constants: dict[str, npt.NDArray[Any]] = {
        "table": table,
        "keys": keys,
        "split": heads,
        "zero": np.array([0]),
        "last": np.array([2, 3]),
        "one": np.array([1]),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["own"]),
        helper.make_node("Gather", ["keys", "input_ids"], ["key"]),
        helper.make_node("Reshape", ["key", "split"], ["key4"]),
        helper.make_node("Transpose", ["key4"], ["key_t"], perm=[0, 2, 1, 3]),
        helper.make_node("Cast", ["key_t"], ["key_c"], to=TYPES[traits.cache_type]),
        helper.make_node("Concat", ["past_key_values.0.key", "key_c"], [traits.present_name], axis=2),
        helper.make_node("Cast", [traits.present_name], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["seen"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last_axes"], ["mean3"]),
        helper.make_node("Mul", ["own", "mean3"], ["sum0"]),
    ]
    constants["last_axes"] = np.array([1, 2])
    total = "sum0"
    inputs = [helper.make_tensor_value_info("input_ids", TYPES[traits.index_type], [traits.batch, traits.sequence])]
    if traits.mask:
        inputs.append(
            helper.make_tensor_value_info("attention_mask", TYPES[traits.index_type], [traits.batch, "total"])
        )
        nodes += [
            helper.make_node("ReduceSum", ["attention_mask", "one"], ["mask_sum"], keepdims=1),
            helper.make_node("Cast", ["mask_sum"], ["mask_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask_f", "one"], ["mask3"]),
            helper.make_node("Add", [total, "mask3"], ["sum1"]),
        ]
        total = "sum1"
    if traits.positions:
        inputs.append(
            helper.make_tensor_value_info("position_ids", TYPES[traits.index_type], [traits.batch, traits.sequence])
        )
        constants["id_column"] = (np.arange(VOCAB, dtype=np.float32) / 64).reshape(1, 1, VOCAB)
        nodes += [
            helper.make_node("Cast", ["position_ids"], ["pos_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["pos_f", "two"], ["pos3"]),
            helper.make_node("Mul", ["pos3", "id_column"], ["pos_v"]),
            helper.make_node("Add", [total, "pos_v"], ["sum2"]),
        ]
        constants["two"] = np.array([2])
        total = "sum2"
    nodes.append(helper.make_node("Cast", [total], [traits.logits_name], to=TYPES[traits.logits_type]))
    cache_shape = [traits.batch, traits.heads, "past_sequence_length", traits.head_size]
    inputs.append(helper.make_tensor_value_info("past_key_values.0.key", TYPES[traits.cache_type], cache_shape))
    if traits.extra_input:
        inputs.append(helper.make_tensor_value_info(traits.extra_input, TensorProto.INT64, [traits.batch]))
    present_shape = [
        traits.batch if traits.present_batch is None else traits.present_batch,
        traits.heads,
        "total",
        traits.head_size,
    ]
    outputs = [
        helper.make_tensor_value_info(
            traits.logits_name, TYPES[traits.logits_type], [traits.batch, "sequence", traits.vocab]
        ),
        helper.make_tensor_value_info(traits.present_name, TYPES[traits.cache_type], present_shape),
    ]
    initializers = [
        numpy_helper.from_array(value if value.dtype == np.float32 else value.astype(np.int64), name)
        for name, value in constants.items()
    ]
    made = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


CONFIG = {"vocab_size": VOCAB, "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": HEADS}


def exact_graph(past_last: bool = True, vocab: int = VOCAB) -> bytes:
    """A graph of exact ops that says so, with a cache of bytes and their scales, in one of the two layouts that exact decoders have.

    A row is a function of all inputs of its window up to its own: logit 0 is the sum of their `exact_weight`.
    """
    bytes_of, scales_of, factors, own = _exact_tables(vocab)
    past = 3 if past_last else 2
    constants: dict[str, npt.NDArray[Any]] = {
        "bytes_of": bytes_of,
        "scales_of": scales_of,
        "factors": factors,
        "own": own,
        "split": np.array([0, 0, HEADS, HEAD_SIZE]),
        "zero": np.array(0),
        "one": np.array(1),
        "nothing": np.array(0, np.float32),
        "past_axis": np.array(past),
        "axis_1": np.array([1]),
        "axis_2": np.array([2]),
        "heads": np.array([1, 5 - past]),
    }
    key, scale = "past_key_values.0.key", "past_key_values.0.key_scale"
    nodes = [
        helper.make_node("Gather", ["bytes_of", "input_ids"], ["new_flat"]),
        helper.make_node("Reshape", ["new_flat", "split"], ["new_heads"]),
        helper.make_node("Transpose", ["new_heads"], ["new_key"], perm=[0, 2, 3, 1] if past_last else [0, 2, 1, 3]),
        helper.make_node("Concat", [key, "new_key"], ["present.0.key"], axis=past),
        helper.make_node("Gather", ["scales_of", "input_ids"], ["new_scales"]),
        helper.make_node("Transpose", ["new_scales"], ["new_scales_t"], perm=[0, 2, 1]),
        helper.make_node("Unsqueeze", ["new_scales_t", "axis_2"], ["new_scale"]),
        helper.make_node("Concat", [scale, "new_scale"], ["present.0.key_scale"], axis=3),
        helper.make_node("Cast", ["present.0.key"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node(
            "Transpose", ["present.0.key_scale"], ["scale"], perm=[0, 1, 2, 3] if past_last else [0, 1, 3, 2]
        ),
        helper.make_node("Mul", ["seen", "scale"], ["scaled"]),
        helper.make_node("ReduceSum", ["scaled", "heads"], ["weights"], keepdims=0),
        # What comes after a row's own input is not seen.
        helper.make_node("Shape", [key], ["past_shape"]),
        helper.make_node("Gather", ["past_shape", "past_axis"], ["past"]),
        helper.make_node("Shape", ["input_ids"], ["ids_shape"]),
        helper.make_node("Gather", ["ids_shape", "one"], ["length"]),
        helper.make_node("Add", ["past", "length"], ["total"]),
        helper.make_node("Range", ["past", "total", "one"], ["rows"]),
        helper.make_node("Unsqueeze", ["rows", "axis_1"], ["row_column"]),
        helper.make_node("Range", ["zero", "total", "one"], ["places"]),
        helper.make_node("LessOrEqual", ["places", "row_column"], ["visible"]),
        helper.make_node("Unsqueeze", ["weights", "axis_1"], ["weights3"]),
        helper.make_node("Where", ["visible", "weights3", "nothing"], ["visible_weights"]),
        helper.make_node("ReduceSum", ["visible_weights", "axis_2"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "factors"], ["of_past"]),
        helper.make_node("Gather", ["own", "input_ids"], ["of_input"]),
        helper.make_node("Add", ["of_past", "of_input"], ["logits"]),
    ]

    def cache(prefix: str, length: str) -> list[Any]:
        key_shape: list[int | str] = ["batch", HEADS, *((HEAD_SIZE, length) if past_last else (length, HEAD_SIZE))]
        return [
            helper.make_tensor_value_info(f"{prefix}.0.key", TensorProto.UINT8, key_shape),
            helper.make_tensor_value_info(f"{prefix}.0.key_scale", TensorProto.FLOAT, ["batch", HEADS, 1, length]),
        ]

    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence_length"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence_length", vocab])]
    made = helper.make_graph(
        nodes,
        "exact",
        inputs + cache("past_key_values", "past_sequence_length"),
        outputs + cache("present", "total_sequence_length"),
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"llmzip.exact": "1"})
    content: bytes = model.SerializeToString()
    return content


def exact_weight(token: int) -> float:
    """What a token adds to logit 0 of the rows after it, in `exact_graph`."""
    bytes_of, scales_of, _, _ = _exact_tables(VOCAB)
    return float((bytes_of[token].reshape(HEADS, HEAD_SIZE).sum(axis=1) * scales_of[token]).sum())


def _exact_tables(vocab: int) -> tuple[npt.NDArray[Any], ...]:
    """Bytes and scales of each id's cache entry, what each logit has of their sum, and what it has of the input alone.

    All are small multiples of powers of two, so that float32 has every sum of them.
    """
    generator = np.random.default_rng(6)
    bytes_of = generator.integers(0, 8, (vocab, HEADS * HEAD_SIZE)).astype(np.uint8)
    scales_of = generator.integers(1, 4, (vocab, HEADS)).astype(np.float32) / 64
    factors = 1 + (np.arange(vocab) * 5 % vocab).astype(np.float32) / 8
    own = generator.integers(-16, 16, (vocab, vocab)).astype(np.float32) / 8
    own[:, 0] = 0
    return bytes_of, scales_of, factors, own
