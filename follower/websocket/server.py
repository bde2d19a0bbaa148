"""The server: one port for the practice room's page (HTTP GET) and the protocol (WebSocket)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from follower.errors import ConfigError, OutputError
from follower.library.library import Library
from follower.websocket.access import Access, path_and_query
from follower.websocket.connection import ClientConnection
from follower.websocket.handshakes import PendingHandshakes
from follower.websocket.limits import Limits
from follower.websocket.pages import answer, page
from follower.websocket.sessions import Sessions

ACCESS = "/access"
"""Says whether one may connect: browsers do not tell a page why its WebSocket was refused."""


def _silent_logger() -> logging.Logger:
    """A logger that says nothing: broken handshakes are everyday, and a library does not write to stderr."""
    logger = logging.getLogger("follower.websocket.websockets")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


class Server:
    """Listens, checks who comes, and hands every connection to a `ClientConnection`.

    Args:
        access: address and who may connect.
        port: 0 picks a free one.
        sessions: what can be watched and opened.
        limits: what clients may ask.
        certificate: TLS certificate and key files, or None for plain HTTP.
        clock: monotonic seconds.
        library: pieces that clients may bring, rename and remove; None for none.

    Raises:
        ConfigError: the certificate cannot be used.
    """

    def __init__(
        self,
        access: Access,
        port: int,
        sessions: Sessions,
        limits: Limits,
        certificate: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        library: Library | None = None,
    ) -> None:
        self._library = library
        self._access = access
        self._port = port
        self._sessions = sessions
        self._limits = limits
        self._clock = clock
        self._tls = _tls(certificate) if certificate is not None else None
        self._clients: set[ClientConnection] = set()
        self._handshakes = PendingHandshakes(limits.handshakes)
        self._server: WebSocketServer | None = None

    @property
    def port(self) -> int:
        """Port listened on; valid once open."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OutputError: the address cannot be bound.
        """
        try:
            self._server = await serve(
                self._connected,
                self._access.host,
                self._port,
                process_request=self._check,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else self._limits.handshake_s,
                create_connection=self._handshakes.connection_class(),
                compression=None,  # small messages, short delay
                max_size=self._limits.frame_bytes,
                write_limit=4096,  # a slow client waits in our queue, where positions replace each other
                open_timeout=self._limits.handshake_s,
                ping_interval=self._limits.keepalive_s,
                ping_timeout=self._limits.silent_s,
                close_timeout=1.0,
                logger=_silent_logger(),
            )
        except OSError as e:
            raise OutputError(
                f"cannot listen on {self._access.host}:{self._port}: {e.strerror or e}; choose another port"
            ) from e
        self._port = int(next(iter(self._server.sockets)).getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the listening socket, give every client what waits for it, close."""
        assert self._server is not None
        self._server.close(close_connections=False)
        await asyncio.to_thread(self._sessions.close)
        # One turn of the loop, so that the last events of the engines' threads are with the clients.
        await asyncio.sleep(0)
        if self._clients:
            await asyncio.wait([asyncio.ensure_future(c.finish(1.0)) for c in self._clients])
        self._server.close()
        await self._server.wait_closed()

    def _check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer plain HTTP with a page, refuse who may not come in, let the rest upgrade."""
        path, _ = path_and_query(request.path)
        status = None
        if not any("websocket" in value.lower() for value in request.headers.get_all("Upgrade")):
            status = (HTTPStatus.OK, b"you may connect\n") if path == ACCESS else self._sessions.status(path)
            if status is None:
                return page(path)
        refusal = self._access.refusal(
            request.path,
            request.headers.get_all("Host"),
            request.headers.get_all("Origin"),
            request.headers.get_all("Authorization"),
        )
        if refusal is not None:
            return answer(HTTPStatus.FORBIDDEN, f"{refusal}\n".encode())
        if status is not None:
            return answer(*status)
        if path not in ("/", "/ws"):
            return answer(HTTPStatus.NOT_FOUND, b"connect to /ws\n")
        if len(self._clients) >= self._limits.clients:
            return answer(HTTPStatus.SERVICE_UNAVAILABLE, b"too many connections; try later\n")
        return None

    async def _connected(self, connection: ServerConnection) -> None:
        self._handshakes.remove(connection)
        if len(self._clients) >= self._limits.clients:  # several may have passed the check at once
            await connection.close(1013, "too many connections")
            return
        _no_delay(connection)
        client = ClientConnection(connection, self._sessions, self._limits, self._clock, self._library)
        self._clients.add(client)
        try:
            with contextlib.suppress(ConnectionClosed):
                await client.serve()
        finally:
            self._clients.discard(client)


def _no_delay(connection: ServerConnection) -> None:
    """Send each message at once, and keep little in the kernel: what waits there can no longer be replaced."""
    sock: Any = connection.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)


def _tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*certificate)
    except (OSError, ssl.SSLError) as e:
        raise ConfigError(f"cannot use the TLS certificate {certificate[0]} with key {certificate[1]}: {e}") from e
    return context
