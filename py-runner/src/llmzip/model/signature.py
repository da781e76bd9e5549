"""What a decoder graph declares: which input is what, how each cache is shaped, whether lanes may be fed at once.

Owns the reading of declarations and of what `config.json` adds to them; runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmzip.errors import LlmzipError, ModelError, VocabularyError
from llmzip.model.graph import BatchPolicy, TensorInfo

IDS, MASK, POSITIONS = "input_ids", "attention_mask", "position_ids"
PAST, PRESENT, LOGITS = "past_key_values.", "present.", "logits"


@dataclass(frozen=True)
class CacheSlot:
    """A cache input and the output that it is fed from. `shape` is that of an empty cache: 0 for the batch and the past."""

    name: str
    present: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """How to drive a graph. `mask_type` and `positions_type` are None where the graph has no such input."""

    ids_type: str
    mask_type: str | None
    positions_type: str | None
    caches: tuple[CacheSlot, ...]
    logits_type: str
    vocab_size: int
    # Whether a pass takes one id of a lane; else any number.
    one_by_one: bool
    batch_policy: BatchPolicy


def read_signature(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], config: dict[str, Any]) -> Signature:
    """Read the declarations of a graph.

    Raises `ModelError` when it is no decoder with a cache, or takes something unknown; `VocabularyError` when its logits have another
    width than `config.json` says.
    """
    types: dict[str, str] = {}
    caches = []
    for each in inputs:
        if not each.shape or (each.shape[0] != 1 and isinstance(each.shape[0], int)):
            raise _undrivable(f"its input {each.name} takes batches of {list(each.shape[:1])} only")
        if each.name.startswith(PAST):
            caches.append(_cache_slot(each, outputs, config))
        elif each.name in (IDS, MASK, POSITIONS):
            if each.type not in ("int64", "int32") or len(each.shape) != 2:
                raise _undrivable(
                    f"its input {each.name} is {each.type} {list(each.shape)}, not int64 or int32 with 2 dimensions"
                )
            types[each.name] = each.type
        else:
            raise _undrivable(f"its input {each.name} is not one that a decoder with a cache has")
    ids = next((each for each in inputs if each.name == IDS), None)
    logits = next((each for each in outputs if each.name == LOGITS), None)
    if ids is None or logits is None:
        raise _undrivable(f"it has no input {IDS}" if ids is None else f"it has no output {LOGITS}")
    if not caches:
        raise _undrivable(f"it has no inputs {PAST}*, hence no cache")
    if logits.type not in ("float32", "float16") or len(logits.shape) != 3:
        raise _undrivable(
            f"its logits are {logits.type} {list(logits.shape)}, not float32 or float16 with 3 dimensions"
        )
    return Signature(
        types[IDS],
        types.get(MASK),
        types.get(POSITIONS),
        tuple(caches),
        logits.type,
        _vocab_size(logits, config),
        _one_by_one([*inputs, logits]),
        batch_policy(inputs, outputs),
    )


def _one_by_one(tensors: Sequence[TensorInfo]) -> bool:
    """Ids are fed one by one where the sequence dimension of the ids, of the positions or of the logits is 1.

    The mask's cannot be fixed at all: it spans a past that grows.
    """
    fixed = [(each.name, each.shape[1]) for each in tensors if each.name in (IDS, MASK, POSITIONS, LOGITS)]
    one_by_one = False
    for name, size in fixed:
        if isinstance(size, int):
            if size != 1 or name == MASK:
                raise _undrivable(f"the sequence dimension of {name} is fixed at {size}")
            one_by_one = True
    return one_by_one


def batch_policy(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo]) -> BatchPolicy:
    """Dynamic if the first dimension of every input, of the logits and of every present output is symbolic."""
    used = [*inputs, *(output for output in outputs if output.name == LOGITS or output.name.startswith(PRESENT))]
    for each in used:
        if not each.shape or isinstance(each.shape[0], int):
            size = f"fixed at {each.shape[0]}" if each.shape else "missing"
            return BatchPolicy("static", f"the batch dimension of {each.name} is {size}")
    return BatchPolicy("dynamic", f"the batch dimension of all {len(used)} inputs and outputs is symbolic")


def _cache_slot(cache: TensorInfo, outputs: Sequence[TensorInfo], config: dict[str, Any]) -> CacheSlot:
    name = PRESENT + cache.name.removeprefix(PAST)
    present = next((output for output in outputs if output.name == name), None)
    if present is None:
        raise _undrivable(f"its input {cache.name} has no output {name}")
    if present.type != cache.type:
        raise _undrivable(f"{present.name} is {present.type}, {cache.name} is {cache.type}")
    if not hasattr(np, cache.type):
        raise _undrivable(f"its input {cache.name} is {cache.type}, which numpy does not have")
    return CacheSlot(cache.name, name, cache.type, _empty_shape(cache, config))


def _empty_shape(cache: TensorInfo, config: dict[str, Any]) -> tuple[int, ...]:
    """Dimension 0 is the batch.

    Of the other symbolic ones the past is the one that is named so, else dimension 2, else the first; the rest are heads (dimension 1)
    and the head's size, which `config.json` knows.
    """
    symbolic = [axis for axis, size in enumerate(cache.shape) if axis and not isinstance(size, int)]
    named = [axis for axis in symbolic if "past" in str(cache.shape[axis]) or "seq" in str(cache.shape[axis])]
    past = next(iter(named or [axis for axis in symbolic if axis == 2] or symbolic), None)
    if past is None:
        raise _undrivable(f"its input {cache.name} leaves no dimension open for the past")
    shape = []
    for axis, size in enumerate(cache.shape):
        if axis in (0, past):
            shape.append(0)
        elif isinstance(size, int):
            shape.append(size)
        else:
            shape.append(_key_value_heads(config) if axis == 1 else _head_size(config))
    return tuple(shape)


def _head_size(config: dict[str, Any]) -> int:
    if config.get("head_dim"):
        return _number(config, "head_dim")
    return _number(config, "hidden_size") // _number(config, "num_attention_heads")


def _key_value_heads(config: dict[str, Any]) -> int:
    return _number(config, "num_key_value_heads" if "num_key_value_heads" in config else "num_attention_heads")


def _vocab_size(logits: TensorInfo, config: dict[str, Any]) -> int:
    declared, configured = logits.shape[2], _number(config, "vocab_size")
    if isinstance(declared, int) and declared != configured:
        raise VocabularyError(
            f"the graph has a vocabulary of {declared}, config.json says {configured}",
            "use the graph, the config.json and the tokenizer.json of one model",
        )
    return configured


def _number(config: dict[str, Any], name: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"config.json has no usable {name}: {value!r}", "get it again with the model")
    return value


def _undrivable(reason: str) -> LlmzipError:
    return ModelError(
        f"the graph cannot be driven: {reason}",
        "export the model as a decoder with a cache: input_ids, past_key_values.*, logits, present.*",
    )
