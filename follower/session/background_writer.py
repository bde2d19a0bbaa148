"""Delivers from a thread of its own, so that a slow file or socket never delays the engine."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


class BackgroundWriter(ABC, Generic[T]):
    """Base of what writes from a thread of its own: `put` enqueues, the thread delivers in order.

    The queue is bounded; when it is full the oldest items go and are counted, so that the newest is always delivered.

    Args:
        capacity: items kept while delivery stalls.
    """

    def __init__(self, capacity: int) -> None:
        self._queue: deque[T] = deque()
        self._capacity = capacity
        self._ready = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._failure: str | None = None

    @abstractmethod
    def open(self) -> None:
        """Open the file or socket, in the caller's thread; raises a `FollowerError` when that fails."""

    @abstractmethod
    def deliver(self, items: list[T]) -> None:
        """Write these, oldest first; runs in the thread and may block. OSError ends delivery."""

    @abstractmethod
    def close(self) -> None:
        """Release the file or socket, after the last `deliver`."""

    @property
    def dropped(self) -> int:
        """Items that could not be delivered."""
        return self._dropped

    @property
    def failure(self) -> str | None:
        """Why delivery ended early, or None."""
        return self._failure

    @property
    def name(self) -> str:
        """What a person calls this output, in messages."""
        return type(self).__name__

    def __enter__(self) -> Self:
        """Open and start the thread."""
        self.open()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=type(self).__name__, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what is queued, then close. What fails is in `failure`: the other outputs must close too."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            self.close()
        except OSError as e:  # a full disk may show only now, when buffers are written
            self._failure = self._failure or e.strerror or str(e)

    def put(self, item: T) -> None:
        """Queue an item; never blocks."""
        with self._ready:
            if self._failure is not None:
                self._dropped += 1
                return
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(item)
            self._ready.notify()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._queue and not self._closing:
                    self._ready.wait()
                items = list(self._queue)
                self._queue.clear()
            if not items:
                return
            try:
                self.deliver(items)
            except OSError as e:
                with self._ready:
                    self._failure = e.strerror or str(e)
                    self._dropped += len(items) + len(self._queue)
                    self._queue.clear()
                return


def writers_among(things: Iterable[object]) -> list[BackgroundWriter[Any]]:
    """Return those that deliver from a thread of their own and so may fail on the way."""
    return [thing for thing in things if isinstance(thing, BackgroundWriter)]
