"""What a person or a program can ask of a running session, and the bounded queue on which the requests wait."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass
from typing import TypeAlias

from follower.protocol.commands import SessionCommand


@dataclass(frozen=True, slots=True)
class Refused:
    """Something was asked for that cannot be understood; the loop passes the line on to everybody who listens.

    Attributes:
        message: a sentence for people.
    """

    message: str


Control: TypeAlias = SessionCommand | Refused
"""What waits on the queue."""


class ControlQueue:
    """Controls on their way from sockets to the loop that owns the engine. Thread-safe, bounded, never blocks.

    When it is full the oldest control makes room: what was asked last is what the person wants now.

    Args:
        capacity: controls that may wait.

    Example:
        >>> from follower.protocol.commands import Stop
        >>> queue = ControlQueue()
        >>> queue.put(Stop())
        >>> queue.take()
        [Stop()]
    """

    def __init__(self, capacity: int = 64) -> None:
        self._waiting: collections.deque[Control] = collections.deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._dropped = 0

    def put(self, control: Control) -> None:
        """Add a control; from any thread."""
        with self._lock:
            if len(self._waiting) == self._waiting.maxlen:
                self._dropped += 1
            self._waiting.append(control)

    def take(self) -> list[Control]:
        """All waiting controls, oldest first; empty when there are none."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def take_dropped(self) -> int:
        """How many controls were pushed out since the last call."""
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped
