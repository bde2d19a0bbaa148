"""Positions to WebSocket clients: a server on a thread of its own, fed by the sink."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from follower.controls import ControlQueue
from follower.errors import OutputError
from follower.events import Event
from follower.server.access import Access
from follower.server.app import Server
from follower.server.feed import Feed
from follower.server.limits import Limits
from follower.server.sessions import Sessions, SingleSession
from follower.sinks.base import Session

LIVE = "live"
"""Name of the one session of `follower live` and `follower replay`."""


class ServerThread:
    """A server on an event loop in a thread of its own.

    Args:
        port: to listen on; 0 picks a free one.
        access: address and who may connect.
        limits: what clients may ask.
        make_sessions: makes the sessions, on the loop.
        certificate: TLS certificate and key files, or None.
    """

    def __init__(
        self,
        port: int,
        access: Access,
        limits: Limits,
        make_sessions: Callable[[asyncio.AbstractEventLoop], Sessions],
        certificate: tuple[str, str] | None = None,
    ) -> None:
        self._port = port
        self._access = access
        self._limits = limits
        self._make_sessions = make_sessions
        self._certificate = certificate
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finish: asyncio.Event | None = None
        self._opened = threading.Event()
        self._failure: BaseException | None = None

    @property
    def port(self) -> int:
        """Port listened on; valid once open."""
        return self._port

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            OutputError: the address cannot be bound.
        """
        self._thread = threading.Thread(target=self._work, name="WebSocket server", daemon=True)
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Deliver what is queued, close the connections, end the thread.

        What went wrong in the server's thread meanwhile is raised here, unless something else is on its way.
        """
        if self._loop is not None and self._finish is not None and self._thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._finish.set)
            self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as e:
            self._failure = e
        finally:
            self._opened.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._finish = asyncio.Event()
        server = Server(self._access, self._port, self._make_sessions(self._loop), self._limits, self._certificate)
        async with server:
            self._port = server.port
            self._opened.set()
            await self._finish.wait()


class WebSocketSink:
    """Serve one session's positions, and the monitor page, on a port of this process.

    Args:
        port: to listen on; 0 picks a free one.
        controls: where the clients' commands go.
        access: address and who may connect.
        limits: what clients may ask.

    Example:
        >>> with WebSocketSink(0, ControlQueue()) as sink:      # doctest: +SKIP
        ...     run(source, engine, [sink])
    """

    def __init__(
        self, port: int, controls: ControlQueue, access: Access | None = None, limits: Limits | None = None
    ) -> None:
        self._controls = controls
        self._feed: Feed | None = None
        self._server = ServerThread(port, access or Access("127.0.0.1"), limits or Limits(), self._sessions)

    def _sessions(self, loop: asyncio.AbstractEventLoop) -> Sessions:
        self._feed = Feed(LIVE, loop, self._controls)
        return SingleSession(self._feed)

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
        """Tell the clients that the session is over and close."""
        if self._feed is not None:
            self._feed.end("the follower has ended")
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
        return self._feed.dropped if self._feed is not None else 0

    def _opened(self) -> Feed:
        if self._feed is None:
            raise OutputError("the WebSocket sink is not open; use it in a with statement")
        return self._feed
