"""A server on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from follower.library.library import Library
from follower.websocket.access import Access
from follower.websocket.limits import Limits
from follower.websocket.server import Server
from follower.websocket.sessions import Sessions


class ServerThread:
    """A server on an event loop in a thread of its own.

    Args:
        port: to listen on; 0 picks a free one.
        access: address and who may connect.
        limits: what clients may ask.
        make_sessions: makes the sessions, on the loop.
        certificate: TLS certificate and key files, or None.
        library: pieces that clients may bring, rename and remove; None for none.
    """

    def __init__(
        self,
        port: int,
        access: Access,
        limits: Limits,
        make_sessions: Callable[[asyncio.AbstractEventLoop], Sessions],
        certificate: tuple[str, str] | None = None,
        library: Library | None = None,
    ) -> None:
        self._library = library
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
        server = Server(
            self._access,
            self._port,
            self._make_sessions(self._loop),
            self._limits,
            self._certificate,
            library=self._library,
        )
        async with server:
            self._port = server.port
            self._opened.set()
            await self._finish.wait()
