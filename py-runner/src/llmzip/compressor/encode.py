"""The writer: bytes in, a container out.

Owns the order of things: frames, runs, tokens, rows, lanes, container. What a byte means is `container`'s, what a row means
`codec`'s, where rows come from `model`'s. Opens no files: it is given binary streams.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from llmzip.codec.block import choose_parameters, encode_lane
from llmzip.codec.grid import Grid, guard_of
from llmzip.codec.lane_paths import LanePaths, empty_lane_paths, path
from llmzip.codec.tree import ROWS_AT_ONCE, RowTrees, tree_depth
from llmzip.compressor.frames import cut_frames
from llmzip.compressor.lanes import Lanes, lanes_of
from llmzip.compressor.progress import PROGRESS_ROWS, Progress, no_progress, shifted, write
from llmzip.container.eps import Eps
from llmzip.container.layout import MAX_FRAME_BYTES, CodedFrame, End, Preamble, Runs, StoredFrame
from llmzip.container.runs import split_runs
from llmzip.errors import UsageError
from llmzip.model.context import ContextPolicy, Plan, cut_lanes, rows_of_known_tokens
from llmzip.model.exactness import require_exact
from llmzip.model.source import Ids, LanguageModel, LogitsSource

WRITER_OFFSETS = 32
FRAME_BYTES = 1 << 20
# Inputs that are fed in one pass where the plan is the writer's own.
CHUNK = 256


@dataclass(frozen=True)
class CompressOptions:
    """A writer's choices."""

    eps: Eps
    policy: ContextPolicy
    lanes: Lanes = "auto"
    frame_bytes: int = FRAME_BYTES

    def check(self, source: LogitsSource) -> None:
        """Raise `UsageError` where a container could not hold them, `UnsupportedError` when eps is 0 and the source is not exact."""
        self.policy.check(source.vocab_size)
        Plan(lanes_of(self.lanes, 1)).check()
        if not 1 <= self.frame_bytes <= MAX_FRAME_BYTES:
            raise UsageError(f"frames of {self.frame_bytes} bytes were asked", f"give 1 .. {MAX_FRAME_BYTES}")
        if self.eps.value == 0:
            require_exact(source.exactness)


@dataclass(frozen=True)
class CompressSummary:
    """What was written. `tokens` are those of text runs in coded frames, hashed as u32 little-endian; hashes are hexadecimal."""

    plain_bytes: int
    plain_sha256: str
    container_bytes: int
    stream_bytes: int
    tokens: int
    tokens_sha256: str
    entropy_bits: float


def compress(
    plain: BinaryIO,
    container: BinaryIO,
    model: LanguageModel,
    settings: CompressOptions,
    progress: Progress = no_progress,
) -> CompressSummary:
    """Compress a stream of plain bytes into a container.

    `progress` gets rows done and rows known of so far. Raises `UsageError`, `UnsupportedError` when eps is 0 and the model is not exact,
    `ModelError`, `IoError`.
    """
    vocab_size = model.source.vocab_size
    settings.check(model.source)
    preamble = Preamble(
        bytes.fromhex(model.model_sha256),
        bytes.fromhex(model.tokenizer_sha256),
        vocab_size,
        settings.eps,
        WRITER_OFFSETS,
        settings.policy.start_token,
        settings.policy.window,
        settings.policy.overlap,
        model.fingerprint,
    )
    plain_hash, tokens_hash = hashlib.sha256(), hashlib.sha256()
    plain_bytes = stream_bytes = tokens = rows = 0
    entropy = 0.0
    written = write(container, preamble.to_bytes())
    for piece in cut_frames(plain, settings.frame_bytes):
        plain_hash.update(piece)
        plain_bytes += len(piece)
        coded = _code_frame(piece, model, settings, shifted(progress, rows))
        # Also of a frame that is stored after all: progress must not go back.
        rows += len(coded.ids) if coded else 0
        stored = StoredFrame(piece).to_bytes()
        if coded is None or len(coded.content) >= len(stored):
            written += write(container, stored)
            continue
        written += write(container, coded.content)
        stream_bytes += coded.stream_bytes
        tokens += len(coded.ids)
        tokens_hash.update(coded.ids.astype("<u4").tobytes())
        entropy += coded.entropy_bits
    written += write(container, End(plain_hash.digest()).to_bytes())
    return CompressSummary(
        plain_bytes, plain_hash.hexdigest(), written, stream_bytes, tokens, tokens_hash.hexdigest(), entropy
    )


def writer_plan(source: LogitsSource, lanes: int, eps: float) -> Plan:
    """How a writer feeds known tokens.

    Where `eps` covers what that may change: one lane after another, many inputs in one pass. Else as the reader will have to.
    """
    if source.plan_tolerance is not None and eps >= source.plan_tolerance:
        # A lane at a time: a cache of one lane is the smallest, and kernels for grouped queries take many inputs of one lane only.
        return Plan(lanes, CHUNK, batch=1)
    return Plan(lanes)


def paths_of_known_tokens(
    model: LanguageModel, policy: ContextPolicy, plan: Plan, ids: Ids, eps: float, progress: Progress = no_progress
) -> tuple[list[LanePaths], float]:
    """The decisions of each lane's tokens, and the sum of the negative log-probs of all tokens, in bits."""
    vocab_size, guard = model.source.vocab_size, guard_of(eps)
    lengths = [len(lane) for lane in cut_lanes(ids, plan.lanes)]
    starts = np.cumsum([0, *lengths])
    paths = empty_lane_paths(len(ids), tree_depth(vocab_size))
    trees = RowTrees(min(len(ids), ROWS_AT_ONCE), vocab_size)
    nats, done, told = 0.0, 0, 0
    for batch in rows_of_known_tokens(model.source, policy, plan, ids):
        lanes, length, _ = batch.logits.shape
        rows = batch.logits.reshape(lanes * length, vocab_size)
        first = starts[batch.first_lane : batch.first_lane + lanes, np.newaxis] + batch.first_row
        places = (first + np.arange(length)).reshape(-1)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = places[start : start + ROWS_AT_ONCE]
            trees.take(rows[start : start + ROWS_AT_ONCE])
            steps, log_probs = path(trees, ids[some], guard)
            for whole, part in zip(paths, steps, strict=True):
                whole[some] = part
            nats -= float(log_probs.sum())
        done += len(rows)
        if done >= told + PROGRESS_ROWS:
            told = done
            progress(done, len(ids))
    by_lane = [slice(start, start + length) for start, length in zip(starts.tolist(), lengths, strict=False)]
    return [LanePaths._make(whole[lane] for whole in paths) for lane in by_lane], nats / math.log(2)


@dataclass(frozen=True)
class _Coded:
    content: bytes
    ids: Ids
    stream_bytes: int
    entropy_bits: float


def _code_frame(plain: bytes, model: LanguageModel, settings: CompressOptions, progress: Progress) -> _Coded | None:
    """A coded frame, or None where a frame of this kind cannot be."""
    split = split_runs(plain, model.tokenizer)
    if not split.ids or len(split.ids) > len(plain):
        return None
    ids = np.array(split.ids, np.int64)
    eps = settings.eps.value
    plan = writer_plan(model.source, lanes_of(settings.lanes, len(ids)), eps)
    paths, entropy = paths_of_known_tokens(model, settings.policy, plan, ids, eps, progress)
    choice = choose_parameters(paths, WRITER_OFFSETS, eps)
    grid = Grid(choice.cells, WRITER_OFFSETS, eps)
    streams = [encode_lane(lane, grid, choice.block) for lane in paths]
    runs = Runs() if len(split.runs) == 1 else split.runs
    frame = CodedFrame(
        len(plain), zlib.crc32(plain), len(ids), runs, split.literals, choice.cells, choice.block, streams
    )
    return _Coded(frame.to_bytes(), ids, sum(map(len, streams)), entropy)
