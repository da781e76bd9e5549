"""How array operations on the rows of a pass are shared between threads.

Owns the threads, the room that each has for rows, and how many rows are one piece of work; knows nothing of what the work is. What comes
of it does not depend on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from llmzip.codec.tree import RowTrees, tree_depth
from llmzip.errors import UnsupportedError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Trees computed at once in one thread take at most about this many bytes: what is much larger leaves the caches.
TREE_BYTES = 8 << 20


class RowThreads:
    """A context in which `map` works in as many threads as so many rows are worth, `threads` at most; in the caller's where one will do."""

    def __init__(self, threads: int, vocab_size: int, rows: int) -> None:
        # Rows that are one piece of work.
        self.at_once = min(max(1, TREE_BYTES // (16 << tree_depth(vocab_size))), max(rows, 1))
        self.count = max(1, min(threads, -(-rows // self.at_once)))
        self._rooms = [RowTrees(self.at_once, vocab_size) for _ in range(self.count)]
        self._pool = ThreadPoolExecutor(self.count, "llmzip-rows") if self.count > 1 else None

    def __enter__(self) -> RowThreads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Item, RowTrees], Result], items: Sequence[Item]) -> list[Result]:
        """What comes of each item, with room of its own, in their order; there are no more items than `count`.

        Array operations run side by side; what is Python does not. Raises `UnsupportedError` where a thread cannot be started.
        """
        if len(items) > self.count:
            raise ValueError(f"{len(items)} pieces of work for {self.count} threads")
        if self._pool is None or len(items) < 2:
            return [work(item, room) for item, room in zip(items, self._rooms, strict=False)]
        try:
            pending = [self._pool.submit(work, item, room) for item, room in zip(items, self._rooms, strict=False)]
        except RuntimeError as error:
            raise UnsupportedError(f"a thread cannot be started: {error}", "ask for fewer with --threads") from error
        return [each.result() for each in pending]
