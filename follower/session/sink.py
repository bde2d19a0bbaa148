"""What a sink is, and the thread that keeps a slow one from delaying the engine."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from follower.events import Event, Session


class Sink(Protocol):
    """Receives every event. `send` returns at once, whatever the listener does."""

    def __enter__(self) -> Self:
        """Open.

        Raises:
            FollowerError: the sink cannot be opened.
        """
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what is queued and close."""
        ...

    def begin(self, session: Session) -> None:
        """Announce the session: before the first event, and again when it is started afresh."""
        ...

    def send(self, event: Event) -> None:
        """Take one event; never blocks, never raises."""
        ...

    @property
    def dropped(self) -> int:
        """Events that could not be delivered."""
        ...
