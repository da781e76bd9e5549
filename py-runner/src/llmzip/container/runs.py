"""Runs: any byte string as text and literals (FORMAT.md section 3).

Owns the split of plain bytes and its inverse; the tokenizer comes in as an interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from llmzip.container.layout import RunKind, Runs
from llmzip.model.source import TextTokenizer

# The bytes that are no part of a well-formed UTF-8 sequence, as `surrogateescape` decodes them; no well-formed sequence is one of these.
STRAY_BYTES = re.compile("[\udc80-\udcff]+")


class Split(NamedTuple):
    """A frame's plain bytes as runs: the ids of all text runs and the bytes of all literal runs, each in order."""

    runs: Runs
    ids: list[int]
    literals: bytes


def split_runs(plain: bytes, tokenizer: TextTokenizer) -> Split:
    """The runs of a frame. Adjacent literals are one run, adjacent text runs stay apart."""
    runs = Runs()
    ids: list[int] = []
    literals = bytearray()
    for piece in _pieces(plain, tokenizer):
        if isinstance(piece, bytes):
            literals += piece
            runs.append_literal(len(piece))
        else:
            ids += piece
            runs.append(RunKind.TEXT, len(piece))
    return Split(runs, ids, bytes(literals))


def join_runs(runs: Runs, ids: list[int], literals: bytes, tokenizer: TextTokenizer, limit: int) -> bytes:
    """The plain bytes of runs, or the first of them: no run is decoded once there are more than `limit` bytes."""
    out = bytearray()
    token = byte = 0
    for run in runs:
        if len(out) > limit:
            break
        if run.kind == RunKind.TEXT:
            out += tokenizer.decode(ids[token : token + run.length]).encode("utf-8")
            token += run.length
        else:
            out += literals[byte : byte + run.length]
            byte += run.length
    return bytes(out)


def _pieces(plain: bytes, tokenizer: TextTokenizer) -> Iterator[bytes | list[int]]:
    """Literal bytes, and the ids of text that the tokenizer gives back."""
    text, end = plain.decode("utf-8", "surrogateescape"), 0
    for match in STRAY_BYTES.finditer(text):
        if match.start() > end:
            yield from _text_pieces(text[end : match.start()], tokenizer)
        yield match.group().encode("utf-8", "surrogateescape")
        end = match.end()
    if end < len(text):
        yield from _text_pieces(text[end:], tokenizer)


def _text_pieces(text: str, tokenizer: TextTokenizer) -> Iterator[bytes | list[int]]:
    # A stack instead of recursion keeps the order: the left half is looked at first.
    waiting = [text]
    while waiting:
        text = waiting.pop()
        ids = tokenizer.encode(text)
        if ids and tokenizer.decode(ids) == text:
            yield ids
        elif len(text) == 1:
            yield text.encode("utf-8")
        else:
            middle = len(text) // 2
            waiting += [text[middle:], text[:middle]]
