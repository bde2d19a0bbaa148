"""Frames waiting for one listener who may be slow: positions latest-only, the rest in order and bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

BURST = 4
"""Positions that may wait: one block can bring several. With more the listener is slow, and only the newest counts."""


class LatestWinsQueue(Generic[T]):
    """Thread-safe hand-over that never makes the producer wait.

    Args:
        is_position: whether an item is one of those that replace each other.
        capacity: other items that may wait; beyond it the oldest is dropped.

    Attributes:
        dropped: other items that were never taken.
        superseded: positions replaced by a newer one before they were taken.

    Example:
        >>> queue = LatestWinsQueue(lambda item: isinstance(item, int))
        >>> for item in (1, "a", 2, 3, 4, 5):
        ...     _ = queue.put(item)
        >>> queue.take(), queue.superseded
        (['a', 5], 4)
    """

    def __init__(self, is_position: Callable[[T], bool], capacity: int = 64) -> None:
        self._is_position = is_position
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._positions = 0
        self._lock = threading.Lock()
        self.dropped = 0
        self.superseded = 0

    def put(self, item: T) -> bool:
        """Add an item. Returns whether the queue was empty, that is whether the consumer needs waking."""
        with self._lock:
            was_empty = not self._items
            if self._is_position(item):
                if self._positions >= BURST:
                    self._items = deque(i for i in self._items if not self._is_position(i))
                    self.superseded += self._positions
                    self._positions = 0
                self._positions += 1
            elif len(self._items) - self._positions >= self._capacity:
                oldest = next(n for n, i in enumerate(self._items) if not self._is_position(i))
                del self._items[oldest]
                self.dropped += 1
            self._items.append(item)
            return was_empty

    def take(self) -> list[T]:
        """All waiting items, oldest first."""
        with self._lock:
            taken = list(self._items)
            self._items.clear()
            self._positions = 0
            return taken

    def take_one(self) -> T | None:
        """The oldest waiting item, or None."""
        with self._lock:
            if not self._items:
                return None
            item = self._items.popleft()
            self._positions -= self._is_position(item)
            return item
