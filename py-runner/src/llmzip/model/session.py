"""One ONNX graph with its cache, driven by what it declares.

Owns the ONNX Runtime session, the past, masks and positions; knows no windows, lanes or codecs.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from llmzip.errors import InternalError, ModelError, UnsupportedError
from llmzip.model.graph import LOGITS, PAST, PRESENT, Port, batch_policy, inspection, port
from llmzip.model.source import Ids, Logits

PROVIDERS = {"cpu": "CPUExecutionProvider"}
GRAPH_OPTIMIZATION = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
IDS, MASK, POSITIONS = "input_ids", "attention_mask", "position_ids"
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
LOG_ERRORS_ONLY = 3
REMAKE = "use a decoder exported with past_key_values (task text-generation-with-past)"


@dataclass(frozen=True)
class SessionSettings:
    """How a graph is run."""

    threads: int = 1
    provider: str = "cpu"
    graph_optimization: str = "all"


def architecture() -> str:
    """The machine's instruction set: `x64`, `arm64` or its own name."""
    machine = platform.machine().lower()
    return ARCHITECTURES.get(machine, machine)


def container_fingerprint() -> str:
    """What computes the logits, as a container names it."""
    return f"ort-{onnxruntime.__version__}/{architecture()}"[:32]


class Session:
    """A graph from the content of a model file and of its `config.json`; a `LogitsSource`.

    Raises `ModelError` when the graph cannot be driven, `UnsupportedError` for settings that are not known.
    """

    def __init__(self, content: bytes, config: dict[str, Any], settings: SessionSettings) -> None:
        self.settings = settings
        self._config = config
        self._session = self._open(content, settings)
        self.inputs = [port(each) for each in self._session.get_inputs()]
        self.outputs = [port(each) for each in self._session.get_outputs()]
        self.batch_policy = batch_policy(self.inputs, self.outputs)
        outputs = {each.name: each for each in self.outputs}
        if LOGITS not in outputs:
            raise ModelError(f"the graph has no output {LOGITS!r}, but {', '.join(outputs)}", REMAKE)
        self.vocab_size = self._vocab_size(outputs[LOGITS])
        self.logits_type = outputs[LOGITS].type
        if self.logits_type not in ("float32", "float16"):
            raise ModelError(
                f"the logits are {self.logits_type}, neither float32 nor float16", "export them as float32"
            )
        self._past = {each.name: each for each in self.inputs if each.name.startswith(PAST)}
        self._present = {name: PRESENT + name.removeprefix(PAST) for name in self._past}
        self._check(outputs)
        self._feeds = {each.name: each for each in self.inputs if each.name not in self._past}
        self._fetches = [LOGITS, *self._present.values()]
        self._cache: dict[str, Any] = {}
        self._length = 0

    @property
    def allows_batch(self) -> bool:
        """Whether more than one lane may be fed at once."""
        return self.batch_policy.is_dynamic

    def reset(self, batch: int) -> None:
        """Empty the cache; the next pass has `batch` lanes and starts at position 0."""
        if batch != 1 and not self.allows_batch:
            raise InternalError(f"{batch} lanes were asked of a graph that allows one: {self.batch_policy.reason}")
        self._cache = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(self._empty_shape(each, batch), each.type))
            for name, each in self._past.items()
        }
        self._length = 0

    def keep_lanes(self, batch: int) -> None:
        """Keep the first `batch` lanes of the cache and drop the others."""
        self._cache = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value.numpy()[:batch]))
            for name, value in self._cache.items()
        }

    def feed(self, ids: Ids) -> Logits:
        """Feed `[batch, n]` ids after what the cache holds; the logits after each, `[batch, n, V]`."""
        total = self._length + ids.shape[1]
        values: dict[str, npt.NDArray[np.int64]] = {IDS: np.ascontiguousarray(ids)}
        if MASK in self._feeds:
            values[MASK] = np.ones((len(ids), total), np.int64)
        if POSITIONS in self._feeds:
            values[POSITIONS] = np.ascontiguousarray(
                np.broadcast_to(np.arange(self._length, total, dtype=np.int64), ids.shape)
            )
        feeds = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in values.items()}
        try:
            logits, *present = self._session.run_with_ort_values(self._fetches, feeds | self._cache)
        except Exception as error:
            raise ModelError(
                f"the graph fails on {ids.shape[1]} ids in {ids.shape[0]} lanes after {self._length}: {error}",
                "try another variant of the model; if it stays, the graph is not one that llmzip can drive",
            ) from error
        self._cache = dict(zip(self._past, present, strict=True))
        self._length = total
        rows: Logits = logits.numpy()
        if rows.shape != (*ids.shape, self.vocab_size):
            raise ModelError(
                f"the logits have the shape {rows.shape} instead of {(*ids.shape, self.vocab_size)}",
                "export the graph with logits for every input, as wide as config.json's vocab_size",
            )
        return rows

    def inspect(self, content: bytes) -> dict[str, Any]:
        """The result of PROTOCOL.md's `inspect`; `content` is the model file's."""
        return inspection(self.inputs, self.outputs, content, self._session.get_providers()[0])

    @staticmethod
    def _open(content: bytes, settings: SessionSettings) -> onnxruntime.InferenceSession:
        if settings.provider not in PROVIDERS:
            raise UnsupportedError(
                f"there is no provider {settings.provider!r} here", f"use one of {', '.join(PROVIDERS)}"
            )
        if settings.graph_optimization not in GRAPH_OPTIMIZATION:
            raise UnsupportedError(
                f"there is no graph optimization {settings.graph_optimization!r}",
                f"use one of {', '.join(GRAPH_OPTIMIZATION)}",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = GRAPH_OPTIMIZATION[settings.graph_optimization]
        options.log_severity_level = LOG_ERRORS_ONLY
        # Several runners share the machine: a thread that waits must not spin.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return onnxruntime.InferenceSession(content, options, providers=[PROVIDERS[settings.provider]])
        except Exception as error:
            raise ModelError(
                f"ONNX Runtime cannot load the graph: {error}",
                "check that the file is an ONNX model; weights in a file beside it are not supported, as its SHA-256 would "
                "not cover them",
            ) from error

    def _vocab_size(self, logits: Port) -> int:
        if len(logits.shape) != 3:
            raise ModelError(
                f"the logits have the shape {list(logits.shape)}", "export them as [batch, sequence, vocabulary]"
            )
        size = logits.shape[2]
        return size if isinstance(size, int) else self._config_number("vocab_size")

    def _check(self, outputs: dict[str, Port]) -> None:
        known = {IDS, MASK, POSITIONS, *self._past}
        for each in self.inputs:
            if each.name not in known:
                raise ModelError(f"nothing is known to feed to the input {each.name!r}", REMAKE)
            if each.name not in self._past and each.type != "int64":
                raise ModelError(f"the input {each.name!r} is {each.type}, not int64", REMAKE)
            if not self.allows_batch and each.shape and isinstance(each.shape[0], int) and each.shape[0] != 1:
                raise ModelError(
                    f"the input {each.name!r} takes a batch of {each.shape[0]} only", "export it with batch 1"
                )
        if IDS not in {each.name for each in self.inputs} or not self._past:
            raise ModelError(f"the graph has no {IDS} or no cache inputs {PAST}*", REMAKE)
        for past, present in self._present.items():
            if present not in outputs:
                raise ModelError(f"the graph has an input {past} but no output {present}", REMAKE)
            if outputs[present].type != self._past[past].type:
                raise ModelError(f"{past} is {self._past[past].type}, but {present} {outputs[present].type}", REMAKE)
            if not hasattr(np, self._past[past].type):
                raise ModelError(
                    f"the cache input {past} is {self._past[past].type}, which numpy does not have", REMAKE
                )

    def _empty_shape(self, each: Port, batch: int) -> tuple[int, ...]:
        """Shape of an empty past: 0 along the symbolic dimension that grows, the others from the graph or the config."""
        symbolic = [axis for axis, size in enumerate(each.shape) if axis and not isinstance(size, int)]
        named = [axis for axis in symbolic if "past" in str(each.shape[axis]) or "seq" in str(each.shape[axis])]
        if not symbolic:
            raise ModelError(f"the cache input {each.name} has the fixed shape {list(each.shape)}", REMAKE)
        grows = (named or [axis for axis in symbolic if axis == 2] or symbolic)[0]
        shape = []
        for axis, size in enumerate(each.shape):
            if axis == 0:
                shape.append(batch)
            elif axis == grows:
                shape.append(0)
            elif isinstance(size, int):
                shape.append(size)
            else:
                shape.append(self._key_value_heads() if axis == 1 else self._head_size())
        return tuple(shape)

    def _head_size(self) -> int:
        if self._config.get("head_dim"):
            return self._config_number("head_dim")
        return self._config_number("hidden_size") // self._config_number("num_attention_heads")

    def _key_value_heads(self) -> int:
        return self._config_number(
            "num_key_value_heads" if "num_key_value_heads" in self._config else "num_attention_heads"
        )

    def _config_number(self, name: str) -> int:
        value = self._config.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError(
                f"config.json has no usable {name} ({value!r}), which the graph leaves open", "complete config.json"
            )
        return value
