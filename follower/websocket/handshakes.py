"""Connections that have not said what they want yet: bounded in number, the oldest gives way."""

from __future__ import annotations

import asyncio

from websockets.asyncio.server import ServerConnection


class PendingHandshakes:
    """Every connection between its acceptance and the end of its HTTP request.

    An honest client is through in milliseconds. Whoever opens connections and says nothing fills it, and loses
    the oldest of them when another comes, so that nobody is kept out and nothing grows.

    Args:
        capacity: connections at a time.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[ServerConnection, None] = {}  # in order of arrival

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, connection: ServerConnection) -> None:
        """Take a new connection in; where it is full, the one that waited longest is cut off."""
        if len(self._waiting) >= self._capacity:
            oldest = next(iter(self._waiting))
            self.remove(oldest)
            oldest.transport.abort()
        self._waiting[connection] = None

    def remove(self, connection: ServerConnection) -> None:
        """The connection's request is complete, or it is closed."""
        self._waiting.pop(connection, None)

    def connection_class(self) -> type[ServerConnection]:
        """Connections that add themselves when accepted, and are removed at the latest when they are closed."""
        handshakes = self

        class WaitingConnection(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                handshakes.add(self)

            def connection_lost(self, exc: Exception | None) -> None:
                handshakes.remove(self)
                super().connection_lost(exc)

        return WaitingConnection
