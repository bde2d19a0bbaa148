"""Positions to WebSocket clients: a server on a thread of its own, fed by the sink."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from follower.errors import OutputError
from follower.events import Event, Session
from follower.session.controls import ControlQueue
from follower.websocket.access import Access
from follower.websocket.broadcast import Broadcast
from follower.websocket.limits import Limits
from follower.websocket.session_sound import SessionSound
from follower.websocket.sessions import Sessions, SingleSession
from follower.websocket.thread import ServerThread

LIVE = "live"
"""Name of the one session of `follower live` and `follower replay`."""


class WebSocketSink:
    """Serve one session's positions, and the practice room's page, on a port of this process.

    Args:
        port: to listen on; 0 picks a free one.
        controls: where the clients' commands go.
        access: address and who may connect.
        limits: what clients may ask.
        sound: the orchestra's, for a client who wants to hear it; None for none.

    Example:
        >>> with WebSocketSink(0, ControlQueue()) as sink:      # doctest: +SKIP
        ...     run(source, engine, [sink])
    """

    def __init__(
        self,
        port: int,
        controls: ControlQueue,
        access: Access | None = None,
        limits: Limits | None = None,
        sound: SessionSound | None = None,
    ) -> None:
        self._sound = sound
        self._controls = controls
        self._broadcast: Broadcast | None = None
        self._server = ServerThread(port, access or Access("127.0.0.1"), limits or Limits(), self._sessions)

    def _sessions(self, loop: asyncio.AbstractEventLoop) -> Sessions:
        self._broadcast = Broadcast(LIVE, loop, self._controls, sound=self._sound)
        return SingleSession(self._broadcast)

    @property
    def port(self) -> int:
        """Port listened on; valid once open."""
        return self._server.port

    def __enter__(self) -> Self:
        """Start the server.

        Raises:
            OutputError: the address cannot be bound.
        """
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Announce the end of the session to the clients and close."""
        if self._broadcast is not None:
            self._broadcast.end("the follower has ended")
        self._server.__exit__(kind, error, trace)

    def begin(self, session: Session) -> None:
        """Announce the session."""
        self._opened().begin(session)

    def send(self, event: Event) -> None:
        """Enqueue one event for all clients."""
        self._opened().send(event)

    @property
    def dropped(self) -> int:
        """Events that never reached the server's loop."""
        return self._broadcast.dropped if self._broadcast is not None else 0

    def _opened(self) -> Broadcast:
        if self._broadcast is None:
            raise OutputError("the WebSocket sink is not open; use it in a with statement")
        return self._broadcast
