"""What keeps all that goes into an engine, so that what came out can be had again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from follower.events import AudioBlock, Event
from follower.protocol.commands import Command, Start


class Recorder(Protocol):
    """Is told, in order, everything an engine took. Neither method blocks or raises."""

    def heard(self, block: AudioBlock, events: Sequence[Event]) -> None:
        """The engine has taken this block; these events came of it."""
        ...

    def commanded(self, command: Command, events: Sequence[Event]) -> None:
        """The engine has taken this command; these events came of it."""
        ...


class EventDigest:
    """A checksum over the engine's events since its last fresh start; equal ones mean equal events, bit for bit.

    A `Recorder`, so that a replay can compute what the performance had.

    Attributes:
        count: events since then.

    Example:
        >>> one, other = EventDigest(), EventDigest()
        >>> one.commanded(Start(), [])
        >>> (one.count, one.value()) == (other.count, other.value())
        True
    """

    def __init__(self) -> None:
        self._restart()

    def _restart(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def heard(self, block: AudioBlock, events: Sequence[Event]) -> None:
        """Add the events of a block."""
        for event in events:
            self._hash.update(repr(event).encode())
        self.count += len(events)

    def commanded(self, command: Command, events: Sequence[Event]) -> None:
        """Add the events of a command; `start` begins anew."""
        if isinstance(command, Start):
            self._restart()
        for event in events:
            self._hash.update(repr(event).encode())
        self.count += len(events)

    def value(self) -> bytes:
        """The checksum so far, 32 bytes."""
        return self._hash.digest()
