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
