"""Frames waiting for one listener who may be slow: positions latest-only, the rest in order and bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SOUND_BLOCKS = 64
"""Blocks of sound that may wait, about 0.7 s; what is older comes too late to be heard."""
BURST = 4
"""Positions that may wait: one block can bring several. With more the listener is slow, and only the newest counts."""


class LatestWinsQueue(Generic[T]):
    """Thread-safe hand-over that never makes the producer wait.

    Args:
        is_position: whether an item is one of those that replace each other.
        capacity: other items that may wait; beyond it the oldest is dropped.
        is_sound: whether an item is a block of sound: they are counted apart, and the oldest go first.

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

    def __init__(
        self,
        is_position: Callable[[T], bool],
        capacity: int = 64,
        is_sound: Callable[[T], bool] = lambda item: False,
    ) -> None:
        self._is_position = is_position
        self._is_sound = is_sound
        self._capacity = capacity
        self._sounds = 0
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
            elif self._is_sound(item):
                if self._sounds >= SOUND_BLOCKS:
                    self._drop_oldest(self._is_sound)
                    self._sounds -= 1
                self._sounds += 1
            elif len(self._items) - self._positions - self._sounds >= self._capacity:
                self._drop_oldest(lambda i: not self._is_position(i) and not self._is_sound(i))
                self.dropped += 1
            self._items.append(item)
            return was_empty

    def take(self) -> list[T]:
        """All waiting items, oldest first."""
        with self._lock:
            taken = list(self._items)
            self._items.clear()
            self._positions = self._sounds = 0
            return taken

    def take_one(self) -> T | None:
        """The oldest waiting item, or None."""
        with self._lock:
            if not self._items:
                return None
            item = self._items.popleft()
            self._positions -= self._is_position(item)
            self._sounds -= self._is_sound(item)
            return item

    def _drop_oldest(self, of_kind: Callable[[T], bool]) -> None:
        oldest = next(n for n, item in enumerate(self._items) if of_kind(item))
        del self._items[oldest]
