"""A sink that delivers from a thread of its own."""

from __future__ import annotations

from follower.events import Event, Session
from follower.session.background_writer import BackgroundWriter


class BackgroundSink(BackgroundWriter[Session | Event]):
    """Base of sinks that write from a thread of their own (see `BackgroundWriter`).

    Args:
        capacity: events kept for a stalled listener (at about 43 positions a second).
    """

    def __init__(self, capacity: int = 100_000) -> None:
        super().__init__(capacity)

    def begin(self, session: Session) -> None:
        """Queue the session's announcement."""
        self.put(session)

    def send(self, event: Event) -> None:
        """Queue one event."""
        self.put(event)
