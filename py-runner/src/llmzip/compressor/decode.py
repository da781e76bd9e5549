"""The reader: a container in, bytes out, none of them before they are known to be right.

Owns the order of things, as the writer does. Opens no files: it is given binary streams.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from llmzip.codec.block import LaneDecoder
from llmzip.codec.grid import Grid
from llmzip.codec.tree import ROWS_AT_ONCE, RowTrees
from llmzip.compressor.progress import PROGRESS_ROWS, Progress, no_progress, shifted, write
from llmzip.container.bytes import ByteReader
from llmzip.container.layout import CodedFrame, End, Preamble, read_frame, read_preamble
from llmzip.container.runs import join_runs
from llmzip.errors import DivergenceError, FormatError, IntegrityError, VocabularyError
from llmzip.model.context import ContextPolicy, decode_in_lockstep
from llmzip.model.exactness import require_exact
from llmzip.model.source import Ids, LanguageModel, Logits


@dataclass(frozen=True)
class DecompressSummary:
    """What was read back; fields as in `CompressSummary`."""

    plain_bytes: int
    plain_sha256: str
    tokens: int
    tokens_sha256: str


def open_container(container: BinaryIO) -> tuple[ByteReader, Preamble]:
    """Read a container's preamble, which names the model that it needs. Raises `FormatError`, `IoError`."""
    reader = ByteReader(container)
    return reader, read_preamble(reader)


def decompress(
    container: BinaryIO, plain: BinaryIO, model: LanguageModel, progress: Progress = no_progress
) -> DecompressSummary:
    """Decompress a container. As `decompress_frames`, for a container that is not yet opened."""
    reader, preamble = open_container(container)
    return decompress_frames(reader, preamble, plain, model, progress)


def decompress_frames(
    reader: ByteReader, preamble: Preamble, plain: BinaryIO, model: LanguageModel, progress: Progress = no_progress
) -> DecompressSummary:
    """Decompress what follows a preamble.

    A frame is written to `plain` when its crc32 is verified; the caller must not use what was written unless this returns. Raises
    `FormatError`, `DivergenceError`, `IntegrityError`, `VocabularyError`, `UnsupportedError`, `ModelError`, `IoError`.
    """
    check_model(preamble, model)
    plain_hash, tokens_hash = hashlib.sha256(), hashlib.sha256()
    plain_bytes = tokens = 0
    while not isinstance(frame := read_frame(reader, preamble), End):
        if isinstance(frame, CodedFrame):
            ids = _decode_ids(frame, preamble, model, shifted(progress, tokens))
            piece = _join_frame(frame, ids, preamble, model)
            tokens += len(ids)
            tokens_hash.update(ids.astype("<u4").tobytes())
        else:
            piece = frame.plain
        plain_hash.update(piece)
        plain_bytes += len(piece)
        write(plain, piece)
    if plain_hash.digest() != frame.plain_sha256:
        raise FormatError(
            f"the plain bytes have SHA-256 {plain_hash.hexdigest()}, the container says {frame.plain_sha256.hex()}: "
            "a frame is missing, misplaced or damaged"
        )
    return DecompressSummary(plain_bytes, plain_hash.hexdigest(), tokens, tokens_hash.hexdigest())


def check_model(preamble: Preamble, model: LanguageModel) -> None:
    """Hold a container to the model that is here.

    Raises `IntegrityError` or `VocabularyError` unless it was made with this model and tokenizer, `UnsupportedError` when its eps is 0 and
    the model is not exact.
    """
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
    if preamble.eps.value == 0:
        require_exact(model.source.exactness)


def _decode_ids(frame: CodedFrame, preamble: Preamble, model: LanguageModel, progress: Progress) -> Ids:
    grid = Grid(frame.cells, preamble.offsets, preamble.eps.value)
    policy = ContextPolicy(preamble.start_token, preamble.window, preamble.overlap)
    decoders = [LaneDecoder(stream, grid, frame.block) for stream in frame.streams]
    lanes: list[list[int]] = [[] for _ in decoders]
    trees = RowTrees(min(len(decoders), ROWS_AT_ONCE), preamble.vocab_size)
    done = told = 0

    def decide(first_lane: int, rows: Logits) -> list[int]:
        nonlocal done, told
        tokens: list[int] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            trees.take(rows[start : start + ROWS_AT_ONCE])
            for tree in trees:
                tokens.append(decoders[first_lane + len(tokens)].decode(tree))
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
    piece = join_runs(frame.all_runs, ids.tolist(), frame.literals, model.tokenizer, frame.plain_length)
    if len(piece) != frame.plain_length or zlib.crc32(piece) != frame.plain_crc32:
        raise _divergence("the decoded bytes are not the frame's: length or crc32 differ", preamble, model)
    return piece


def _divergence(what: str, preamble: Preamble, model: LanguageModel) -> DivergenceError:
    return DivergenceError(
        f"an intact frame does not decode ({what}): the log-probs here ({model.fingerprint}) lie further than eps "
        f"{preamble.eps} from those of the writer ({preamble.fingerprint})"
    )
