"""One ONNX graph with its cache, driven by what it declares.

Owns the ONNX Runtime session, the past, masks and positions; knows no windows, lanes or codecs.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from llmzip.errors import LlmzipError, ModelError, UnsupportedError, UsageError, VocabularyError
from llmzip.model.context import MAX_LANES
from llmzip.model.exactness import RULES_VERSION, Exactness
from llmzip.model.graph import BatchPolicy, GraphView, graph_exactness, opset_and_ops, tensor_info
from llmzip.model.model_files import ModelFiles
from llmzip.model.provider import CPU, check_provider, open_session
from llmzip.model.signature import IDS, LOGITS, MASK, POSITIONS, CacheSlot, read_signature
from llmzip.model.source import FLOAT32_PLAN_TOLERANCE, Ids, Logits

GRAPH_OPTIMIZATION = {
    "disabled": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
LOG_ERRORS_ONLY = 3
MAX_THREADS = 1024


@dataclass(frozen=True)
class SessionOptions:
    """How a graph is run.

    `batch` is the most lanes that are fed at once; if None, all where the graph allows it and their cache is small enough.
    """

    threads: int = 1
    provider: str = CPU
    graph_optimization: str = "all"
    batch: int | None = None


def architecture() -> str:
    """The machine's instruction set: `x64`, `arm64` or its own name."""
    machine = platform.machine().lower()
    return ARCHITECTURES.get(machine, machine)


def container_fingerprint(exactness: Exactness) -> str:
    """What computes the logits, as a container names it: where they are exact, nothing but the graph decides them."""
    if exactness.exact:
        return f"exact-{RULES_VERSION}"
    return f"ort-{onnxruntime.__version__}/{architecture()}"[:32]


def _max_batch(asked: int | None, policy: BatchPolicy) -> int | None:
    if policy.batch == "dynamic":
        return asked
    if asked is not None and asked > 1:
        raise UnsupportedError(
            f"the graph takes one lane at a time, not a batch of {asked}: {policy.reason}",
            "leave --batch out: the lanes then run one after another",
        )
    return 1


def _cache_bytes(asked: int | None, caches: Sequence[CacheSlot]) -> int:
    if asked is not None:
        return 0
    return sum(np.dtype(cache.type).itemsize * math.prod(size for size in cache.shape if size) for cache in caches)


def _plan_tolerance(exactness: Exactness, cache_types: list[str]) -> float | None:
    if exactness.exact:
        return 0.0
    return FLOAT32_PLAN_TOLERANCE if set(cache_types) <= {"float32"} else None


def _ort_value(array: npt.NDArray[Any]) -> onnxruntime.OrtValue:
    """The array as the runtime's value, which keeps it alive and does not copy it."""
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


class Session:
    """A graph from the content of a model's files and of its `config.json`; a `LogitsSource`.

    Raises `ModelError` when the graph cannot be driven, `VocabularyError` when its vocabulary is not `config.json`'s,
    `UsageError` for settings that are none, `UnsupportedError` for a provider that cannot be used, or that ONNX Runtime gave nothing to do,
    and for a batch that the graph does not take.
    """

    def __init__(self, files: ModelFiles, config: dict[str, Any], settings: SessionOptions) -> None:
        self.settings = settings
        self._session = self._open(files, settings)
        self._inputs = [tensor_info(each) for each in self._session.get_inputs()]
        self._outputs = [tensor_info(each) for each in self._session.get_outputs()]
        self.signature = signature = read_signature(self._inputs, self._outputs, config)
        self.max_batch = _max_batch(settings.batch, signature.batch_policy)
        self.cache_bytes = _cache_bytes(settings.batch, signature.caches)
        self.exactness = graph_exactness(files.onnx)
        self.plan_tolerance = _plan_tolerance(self.exactness, [cache.type for cache in signature.caches])
        self.vocab_size = signature.vocab_size
        self.logits_type = signature.logits_type
        self._fetches = [LOGITS, *(cache.present for cache in signature.caches)]
        self._cache: dict[str, onnxruntime.OrtValue] = {}
        self._length = 0

    def reset(self, batch: int) -> None:
        """Empty the cache; the next pass has `batch` lanes and starts at position 0.

        Raises `UnsupportedError` where more than one lane is not allowed.
        """
        if batch != 1 and self.signature.batch_policy.batch == "static":
            raise UnsupportedError(
                f"the graph takes one lane at a time, not {batch}: {self.signature.batch_policy.reason}",
                "run the lanes one after another",
            )
        self._cache = {
            cache.name: _ort_value(np.zeros((batch, *cache.shape[1:]), cache.type)) for cache in self.signature.caches
        }
        self._length = 0

    def keep_lanes(self, batch: int) -> None:
        """Keep the first `batch` lanes of the cache and drop the others."""
        self._cache = {
            name: _ort_value(np.ascontiguousarray(value.numpy()[:batch])) for name, value in self._cache.items()
        }

    def feed(self, ids: Ids) -> Logits:
        """Feed `[batch, n]` ids after what the cache holds; the logits after each, `[batch, n, V]`.

        Raises `ModelError`; `VocabularyError` when they are not as wide as `config.json` says.
        """
        if self.signature.one_by_one:
            return np.concatenate([self._run(ids[:, at : at + 1]) for at in range(ids.shape[1])], axis=1)
        return self._run(ids)

    def inspect(self, content: bytes) -> GraphView:
        """What the graph declares; `content` is the model file's."""
        opset, ops = opset_and_ops(content)
        policy = self.signature.batch_policy
        return GraphView(self._inputs, self._outputs, opset, ops, policy, self.exactness, self.settings.provider)

    def _run(self, ids: Ids) -> Logits:
        signature, total = self.signature, self._length + ids.shape[1]
        feeds: dict[str, npt.NDArray[Any]] = {IDS: np.ascontiguousarray(ids, signature.ids_type)}
        if signature.mask_type:
            feeds[MASK] = np.ones((len(ids), total), signature.mask_type)
        if signature.positions_type:
            positions = np.arange(self._length, total, dtype=signature.positions_type)
            feeds[POSITIONS] = np.ascontiguousarray(np.broadcast_to(positions, ids.shape))
        values = {name: _ort_value(array) for name, array in feeds.items()}
        try:
            # The cache stays with the runtime: as arrays it would be copied out and in at every pass.
            logits, *present = self._session.run_with_ort_values(self._fetches, values | self._cache)
        except Exception as error:
            raise ModelError(
                f"the graph fails on {ids.shape[1]} ids in {ids.shape[0]} lanes after {self._length}: {error}",
                "try another variant of the model; if it stays, the graph is not one that llmzip can drive",
            ) from error
        self._cache = dict(zip(self._cache, present, strict=True))
        self._length = total
        rows: Logits = logits.numpy()
        if rows.shape[:-1] == ids.shape and rows.shape[-1] != self.vocab_size:
            raise VocabularyError(
                f"the graph predicts {rows.shape[-1]} tokens, config.json has a vocab_size of {self.vocab_size}",
                "take graph and config.json from the same model",
            )
        if rows.shape != (*ids.shape, self.vocab_size):
            raise ModelError(
                f"the logits have the shape {rows.shape} instead of {(*ids.shape, self.vocab_size)}",
                "export the graph with logits for every input, as wide as config.json's vocab_size",
            )
        return rows

    @staticmethod
    def _open(files: ModelFiles, settings: SessionOptions) -> onnxruntime.InferenceSession:
        if not 1 <= settings.threads <= MAX_THREADS:
            raise UsageError(
                f"{settings.threads} threads are not 1 to {MAX_THREADS}", "give as many as the machine has cores"
            )
        if settings.batch is not None and not 1 <= settings.batch <= MAX_LANES:
            raise UsageError(
                f"a batch of {settings.batch} lanes is not 1 to {MAX_LANES}",
                "give the most lanes that are to be fed at once",
            )
        check_provider(settings.provider)
        if settings.graph_optimization not in GRAPH_OPTIMIZATION:
            raise UsageError(
                f"there is no graph optimization {settings.graph_optimization!r}",
                f"use one of {', '.join(GRAPH_OPTIMIZATION)}",
            )
        files.check()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = GRAPH_OPTIMIZATION[settings.graph_optimization]
        options.log_severity_level = LOG_ERRORS_ONLY
        # Several runners share the machine: a thread that waits must not spin.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            if files.data:
                # The runtime takes weights from these bytes, under these names, and looks for no file.
                names, contents = list(files.data), list(files.data.values())
                options.add_external_initializers_from_files_in_memory(names, contents, list(map(len, contents)))
            return open_session(files.onnx, options, settings.provider)
        except LlmzipError:
            raise
        except Exception as error:
            raise ModelError(
                f"ONNX Runtime cannot load the graph: {error}",
                "check that the file is an ONNX model",
            ) from error
