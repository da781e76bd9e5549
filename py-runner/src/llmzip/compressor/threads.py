"""How array operations on the rows of a pass are shared between threads.

Owns the threads, and how many rows are one piece of work; knows nothing of what the work is. What comes of it does not depend on how
many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
Room = TypeVar("Room")
Result = TypeVar("Result")

# Trees computed at once in one thread take at most about this many bytes: what is much larger leaves the caches.
TREE_BYTES = 8 << 20


def rows_at_once(depth: int) -> int:
    """How many rows, whose trees are so deep, are one piece of work."""
    return max(1, TREE_BYTES // (16 << depth))


class Threads:
    """A context in which `map` works in so many threads; one does without any but the caller's."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, "llmzip-rows") if count > 1 else None

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Item, Room], Result], items: Sequence[Item], rooms: Sequence[Room]) -> list[Result]:
        """What comes of each item and the room that is its own, in their order; there are no more items than threads.

        Array operations run side by side; what is Python does not.
        """
        if self._pool is None or len(items) < 2:
            return [work(item, room) for item, room in zip(items, rooms, strict=False)]
        return list(self._pool.map(work, items, rooms))
