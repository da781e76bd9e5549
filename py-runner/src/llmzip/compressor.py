"""Bytes to a container and back, frame by frame.

Owns the order of things: bytes, runs, tokens, rows, lanes, container. What a byte means is `container`'s, what a row means `codec`'s,
where rows come from `model`'s. Opens no files: it is given binary streams.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from llmzip.codec.block import LaneDecoder, choose_parameters, encode_lane
from llmzip.codec.grid import Grid
from llmzip.codec.tree import Floats, Path, log_prob, path, tree_depth, tree_masses
from llmzip.container.byte_reader import ByteReader
from llmzip.container.frames import cut_frames
from llmzip.container.layout import (
    MAX_FRAME_BYTES,
    CodedFrame,
    End,
    Eps,
    Preamble,
    Run,
    StoredFrame,
    read_frame,
    read_preamble,
)
from llmzip.container.runs import join_runs, split_runs
from llmzip.errors import DivergenceError, FormatError, IntegrityError, IoError, UsageError, VocabularyError
from llmzip.model.context import ContextPolicy, Plan, cut_lanes, decode_in_lockstep, rows_of_known_tokens
from llmzip.model.source import Ids, LanguageModel, Logits

Progress = Callable[[int, int], None]

OFFSETS = 32
FRAME_BYTES = 1 << 20
# Trees computed at once take at most about this many bytes.
TREE_BYTES = 8 << 20
PROGRESS_ROWS = 32


@dataclass(frozen=True)
class CompressSettings:
    """A writer's choices."""

    eps: Eps
    policy: ContextPolicy
    lanes: int = 1
    frame_bytes: int = FRAME_BYTES

    def check(self, vocab_size: int) -> None:
        """Raise `UsageError` where a container could not hold them."""
        self.policy.check(vocab_size)
        Plan(self.lanes).check()
        if not 1 <= self.frame_bytes <= MAX_FRAME_BYTES:
            raise UsageError(f"frames of {self.frame_bytes} bytes were asked", f"give 1 .. {MAX_FRAME_BYTES}")


@dataclass(frozen=True)
class CompressResult:
    """What was written. `tokens` are those of text runs in coded frames, hashed as u32 little-endian; hashes are hexadecimal."""

    plain_bytes: int
    plain_sha256: str
    container_bytes: int
    stream_bytes: int
    tokens: int
    tokens_sha256: str
    entropy_bits: float


@dataclass(frozen=True)
class DecompressResult:
    """What was read back; fields as in `CompressResult`."""

    plain_bytes: int
    plain_sha256: str
    tokens: int
    tokens_sha256: str


def no_progress(done: int, total: int) -> None:
    """Take no notice."""


def compress(
    plain: BinaryIO,
    container: BinaryIO,
    model: LanguageModel,
    settings: CompressSettings,
    progress: Progress = no_progress,
) -> CompressResult:
    """Compress a stream of plain bytes into a container.

    `progress` gets rows done and rows known of so far. Raises `UsageError`, `ModelError`, `IoError`.
    """
    vocab_size = model.source.vocab_size
    settings.check(vocab_size)
    preamble = Preamble(
        bytes.fromhex(model.model_sha256),
        bytes.fromhex(model.tokenizer_sha256),
        vocab_size,
        settings.eps,
        OFFSETS,
        settings.policy.start_token,
        settings.policy.window,
        settings.policy.overlap,
        model.fingerprint,
    )
    plain_hash, tokens_hash = hashlib.sha256(), hashlib.sha256()
    plain_bytes = stream_bytes = tokens = 0
    entropy = 0.0
    written = _write(container, preamble.to_bytes())
    for piece in cut_frames(plain, settings.frame_bytes):
        plain_hash.update(piece)
        plain_bytes += len(piece)
        coded = _code_frame(piece, model, settings, _shifted(progress, tokens))
        stored = StoredFrame(piece).to_bytes()
        if coded is None or len(coded.content) >= len(stored):
            written += _write(container, stored)
            continue
        written += _write(container, coded.content)
        stream_bytes += coded.stream_bytes
        tokens += len(coded.ids)
        tokens_hash.update(coded.ids.astype("<u4").tobytes())
        entropy += coded.entropy_bits
    written += _write(container, End(plain_hash.digest()).to_bytes())
    return CompressResult(
        plain_bytes, plain_hash.hexdigest(), written, stream_bytes, tokens, tokens_hash.hexdigest(), entropy
    )


def open_container(container: BinaryIO) -> tuple[ByteReader, Preamble]:
    """Read a container's preamble, which names the model that it needs. Raises `FormatError`, `IoError`."""
    reader = ByteReader(container)
    return reader, read_preamble(reader)


def decompress(
    container: BinaryIO, plain: BinaryIO, model: LanguageModel, progress: Progress = no_progress
) -> DecompressResult:
    """Decompress a container. As `decompress_frames`, for a container that is not yet opened."""
    reader, preamble = open_container(container)
    return decompress_frames(reader, preamble, plain, model, progress)


def decompress_frames(
    reader: ByteReader, preamble: Preamble, plain: BinaryIO, model: LanguageModel, progress: Progress = no_progress
) -> DecompressResult:
    """Decompress what follows a preamble.

    A frame is written to `plain` when its crc32 is verified; the caller must not use what was written unless this returns. Raises
    `FormatError`, `DivergenceError`, `IntegrityError`, `VocabularyError`, `ModelError`, `IoError`.
    """
    check_model(preamble, model)
    plain_hash, tokens_hash = hashlib.sha256(), hashlib.sha256()
    plain_bytes = tokens = 0
    while not isinstance(frame := read_frame(reader, preamble), End):
        if isinstance(frame, CodedFrame):
            ids = _decode_ids(frame, preamble, model, _shifted(progress, tokens))
            piece = _join_frame(frame, ids, preamble, model)
            tokens += len(ids)
            tokens_hash.update(ids.astype("<u4").tobytes())
        else:
            piece = frame.plain
        plain_hash.update(piece)
        plain_bytes += len(piece)
        _write(plain, piece)
    if plain_hash.digest() != frame.plain_sha256:
        raise FormatError(
            f"the plain bytes have SHA-256 {plain_hash.hexdigest()}, the container says {frame.plain_sha256.hex()}: "
            "a frame is missing, misplaced or damaged"
        )
    return DecompressResult(plain_bytes, plain_hash.hexdigest(), tokens, tokens_hash.hexdigest())


def check_model(preamble: Preamble, model: LanguageModel) -> None:
    """Raise `IntegrityError` or `VocabularyError` unless the container was made with this model and tokenizer."""
    for what, needed, there in (
        ("model", preamble.model_sha256.hex(), model.model_sha256),
        ("tokenizer", preamble.tokenizer_sha256.hex(), model.tokenizer_sha256),
    ):
        if needed != there:
            raise IntegrityError(
                f"the container was made with the {what} of SHA-256 {needed}, here is {there}",
                f"decompress with the {what} of that hash: --model names its folder",
            )
    if preamble.vocab_size != model.source.vocab_size:
        raise VocabularyError(
            f"the container's vocabulary has {preamble.vocab_size} ids, the graph's {model.source.vocab_size}",
            "get the container again: it names a model that it was not made with",
        )


def paths_of_known_tokens(
    model: LanguageModel, policy: ContextPolicy, plan: Plan, ids: Ids, progress: Progress = no_progress
) -> tuple[list[Path], float]:
    """The decisions of each lane's tokens, and the sum of the negative log-probs of all tokens, in bits."""
    lanes = cut_lanes(ids, plan.lanes)
    depth, vocab_size = tree_depth(model.source.vocab_size), model.source.vocab_size
    paths = [
        Path(
            np.empty((len(lane), depth), np.int64), np.empty((len(lane), depth)), np.empty((len(lane), depth), np.bool_)
        )
        for lane in lanes
    ]
    at_once = max(1, TREE_BYTES // (16 << depth))
    nats, done, waiting, told = 0.0, 0, _Waiting(), 0
    masses: Floats | None = None

    def flush() -> None:
        nonlocal nats, masses
        rows = np.concatenate(waiting.rows)
        tokens = np.concatenate([lanes[lane][first : first + count] for lane, first, count in waiting.places])
        masses = tree_masses(rows, masses if masses is not None and len(masses) == len(rows) else None)
        steps = path(masses, tokens, vocab_size)
        nats -= float(log_prob(rows, tokens).sum())
        at = 0
        for lane, first, count in waiting.places:
            for whole, part in zip(paths[lane], steps, strict=True):
                whole[first : first + count] = part[at : at + count]
            at += count
        waiting.clear()

    for batch in rows_of_known_tokens(model.source, policy, plan, ids):
        for number, rows in enumerate(batch.logits):
            for first in range(0, len(rows), at_once):
                waiting.add(batch.first_lane + number, batch.first_row + first, rows[first : first + at_once])
                if waiting.count >= at_once:
                    flush()
        done += batch.logits.shape[0] * batch.logits.shape[1]
        if done >= told + PROGRESS_ROWS:
            told = done
            progress(done, len(ids))
    if waiting.count:
        flush()
    return paths, nats / math.log(2)


class _Waiting:
    """Rows that wait until enough of them are there for one pass of array operations."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.rows: list[Logits] = []
        self.places: list[tuple[int, int, int]] = []
        self.count = 0

    def add(self, lane: int, first: int, rows: Logits) -> None:
        self.rows.append(rows)
        self.places.append((lane, first, len(rows)))
        self.count += len(rows)


@dataclass(frozen=True)
class _Coded:
    content: bytes
    ids: Ids
    stream_bytes: int
    entropy_bits: float


def _code_frame(plain: bytes, model: LanguageModel, settings: CompressSettings, progress: Progress) -> _Coded | None:
    """A coded frame, or None where a frame of this kind cannot be."""
    split = split_runs(plain, model.tokenizer)
    if not split.ids or len(split.ids) > len(plain):
        return None
    ids = np.array(split.ids, np.int64)
    paths, entropy = paths_of_known_tokens(model, settings.policy, Plan(settings.lanes), ids, progress)
    eps = settings.eps.value
    choice = choose_parameters(paths, OFFSETS, eps)
    grid = Grid(choice.cells, OFFSETS, eps)
    streams = [encode_lane(lane, grid, choice.block) for lane in paths]
    runs: list[Run] = [] if len(split.runs) == 1 else split.runs
    frame = CodedFrame(
        len(plain), zlib.crc32(plain), len(ids), runs, split.literals, choice.cells, choice.block, streams
    )
    return _Coded(frame.to_bytes(), ids, sum(map(len, streams)), entropy)


def _decode_ids(frame: CodedFrame, preamble: Preamble, model: LanguageModel, progress: Progress) -> Ids:
    grid = Grid(frame.cells, preamble.offsets, preamble.eps.value)
    policy = ContextPolicy(preamble.start_token, preamble.window, preamble.overlap)
    decoders = [LaneDecoder(stream, grid, frame.block, preamble.vocab_size) for stream in frame.streams]
    lanes: list[list[int]] = [[] for _ in decoders]
    masses: Floats | None = None
    done = told = 0

    def decide(first_lane: int, rows: Logits) -> list[int]:
        nonlocal masses, done, told
        masses = tree_masses(rows, masses if masses is not None and len(masses) == len(rows) else None)
        tokens = [decoders[first_lane + number].decode(each) for number, each in enumerate(masses)]
        for number, token in enumerate(tokens):
            lanes[first_lane + number].append(token)
        done += len(tokens)
        if done >= told + PROGRESS_ROWS:
            told = done
            progress(done, frame.token_count)
        return tokens

    try:
        decode_in_lockstep(model.source, policy, frame.lane_lengths, decide)
    except FormatError as error:
        # The streams' checksums are right, so it is not the streams that are wrong.
        raise _divergence(str(error), preamble, model) from error
    return np.concatenate([np.array(lane, np.int64) for lane in lanes])


def _join_frame(frame: CodedFrame, ids: Ids, preamble: Preamble, model: LanguageModel) -> bytes:
    try:
        piece = join_runs(frame.all_runs, ids.tolist(), frame.literals, model.tokenizer)
    except UsageError as error:
        raise _divergence(str(error), preamble, model) from error
    if len(piece) != frame.plain_length or zlib.crc32(piece) != frame.plain_crc32:
        raise _divergence("the decoded bytes are not the frame's: length or crc32 differ", preamble, model)
    return piece


def _divergence(what: str, preamble: Preamble, model: LanguageModel) -> DivergenceError:
    return DivergenceError(
        f"an intact frame does not decode ({what}): the log-probs here ({model.fingerprint}) lie further than eps "
        f"{preamble.eps} from those of the writer ({preamble.fingerprint})"
    )


def _shifted(progress: Progress, base: int) -> Progress:
    """Progress of a frame as that of the whole, as far as the whole is known."""
    return lambda done, total: progress(base + done, base + total)


def _write(file: BinaryIO, content: bytes) -> int:
    try:
        file.write(content)
    except OSError as error:
        raise IoError.writing("the output", error) from error
    return len(content)
