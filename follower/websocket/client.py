"""Python client: connects to a follower, keeps the newest position, extrapolates it, reconnects.

For visuals, light desks and players written in Python. It runs in a thread of its own::

    from follower.websocket.client import FollowerClient

    with FollowerClient("ws://127.0.0.1:8765/ws") as follower:
        while True:
            place_s = follower.orchestra_time_s()      # now, extrapolated; None while unknown
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from follower.errors import ProtocolError
from follower.events import Position
from follower.protocol.codec import decode_message, encode, kind_of
from follower.protocol.commands import (
    Pause,
    Ping,
    PlaybackPosition,
    Request,
    Resume,
    Seek,
    Start,
    Stop,
    Watch,
)
from follower.protocol.conversion import position_of
from follower.protocol.messages import PROTOCOL_VERSION, HelloMessage, PongMessage, PositionMessage
from follower.session.extrapolation import orchestra_time_at

PING_EVERY_S: Final = 2.0
PINGS_KEPT: Final = 16
"""The clock offset is that of the quickest of the last round trips."""
BACKOFF_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Waits between attempts to connect; the last one repeats."""


class ClockOffset:
    """Offset of the server's monotonic clock to ours, from pings.

    The server read its clock somewhere within the round trip; halfway is the best guess, and the quickest round trip
    leaves the least doubt (Cristian's algorithm).

    Example:
        >>> offset = ClockOffset()
        >>> offset.add(sent_s=10.0, server_s=110.1, received_s=10.2)
        >>> round(offset.s or 0.0, 3)
        100.0
    """

    def __init__(self) -> None:
        self._trips: deque[tuple[float, float]] = deque(maxlen=PINGS_KEPT)

    def add(self, sent_s: float, server_s: float, received_s: float) -> None:
        """Take one round trip: our clock at sending and receiving, the server's in between."""
        self._trips.append((received_s - sent_s, server_s - (sent_s + received_s) / 2))

    @property
    def s(self) -> float | None:
        """Server's clock minus ours; None before the first ping."""
        return min(self._trips)[1] if self._trips else None


class FollowerClient:
    """Listens to one session and keeps the newest position; reconnects by itself.

    Args:
        url: for example ws://127.0.0.1:8765/ws
        token: where the server asks for one.
        session: to watch; None takes the server's own.
        on_message: called with every message, in the client's thread.
        clock: monotonic seconds.
        wait: waits that many seconds, or less when the client is closed; returns whether it is closed.

    Attributes:
        connections: how often a connection was made.
        failure: why the client gave up (a server of another protocol), or None.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        session: str | None = None,
        on_message: Callable[[dict[str, Any]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        self._session = session
        self._on_message = on_message
        self._clock = clock
        self._closed = threading.Event()
        self._wait = wait or self._closed.wait
        self._lock = threading.Lock()
        self._connection: ClientConnection | None = None
        self._position: Position | None = None
        self._hello: dict[str, Any] = {}
        self._sample_rate_hz = 1000
        self._offset = ClockOffset()
        self._thread = threading.Thread(target=self._work, name="FollowerClient", daemon=True)
        self.connections = 0
        self.failure: str | None = None

    def __enter__(self) -> Self:
        """Start connecting; returns at once."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection and end the thread."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            connection.close()
        self._thread.join()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None

    @property
    def hello(self) -> dict[str, Any]:
        """The server's last hello message; empty before the first."""
        return self._hello

    @property
    def position(self) -> Position | None:
        """The newest position, its capture time on our clock; None before the first."""
        return self._position

    def orchestra_time_s(self) -> float | None:
        """Where the orchestra is now (s of its recording), extrapolated; None while unknown."""
        position = self._position
        return None if position is None else orchestra_time_at(position, self._clock())

    def seek(self, orchestra_time_s: float) -> bool:
        """Seek to where the pianist goes on (s of the orchestra recording); returns whether it was sent.

        Raises:
            ProtocolError: not a finite number.
        """
        return self._send(Seek(orchestra_time_s))

    def pause(self) -> bool:
        """Hold the position; returns whether it was sent."""
        return self._send(Pause())

    def resume(self) -> bool:
        """Follow again; returns whether it was sent."""
        return self._send(Resume())

    def start(self) -> bool:
        """Follow from a fresh start; returns whether it was sent."""
        return self._send(Start())

    def stop(self) -> bool:
        """Stop following until `start`; returns whether it was sent."""
        return self._send(Stop())

    def playback(self, orchestra_time_s: float, rate: float = 1.0) -> bool:
        """Report what the loudspeakers play (s of the orchestra recording) and its rate; returns whether it was sent.

        Raises:
            ProtocolError: not a finite number.
        """
        return self._send(PlaybackPosition(orchestra_time_s, rate))

    def _send(self, request: Request) -> bool:
        with self._lock:
            connection = self._connection
            if connection is None:
                return False
            try:
                connection.send(encode(request))
            except (WebSocketException, OSError):
                return False
            return True

    def _work(self) -> None:
        attempt = 0
        while not self._closed.is_set():
            with (
                contextlib.suppress(WebSocketException, OSError, ProtocolError, TimeoutError),
                connect(
                    self._url, additional_headers=self._headers, compression=None, open_timeout=5, proxy=None
                ) as connection,
            ):
                attempt = 0
                self._offset = ClockOffset()
                self._connection = connection
                self.connections += 1
                try:
                    self._listen(connection)
                finally:
                    self._connection = None
            if self._closed.is_set() or self._wait(BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)]):
                return
            attempt += 1

    def _listen(self, connection: ClientConnection) -> None:
        if self._session is not None:
            self._send(Watch(self._session))
        next_ping_s = self._clock()
        while not self._closed.is_set():
            if self._clock() >= next_ping_s:
                next_ping_s = self._clock() + PING_EVERY_S
                self._send(Ping(self._clock()))
            try:
                text = connection.recv(timeout=PING_EVERY_S)
            except TimeoutError:
                continue
            try:
                content = json.loads(text)
            except ValueError as e:
                raise ProtocolError(f"a message that cannot be read: {e!r}; connecting again") from e
            self._handle(content)
            if self._on_message is not None:
                self._on_message(content)

    def _handle(self, content: Any) -> None:
        """Keep what a message says.

        Raises:
            ProtocolError: it cannot be read; the connection is given up.
        """
        if not isinstance(content, dict):
            raise ProtocolError(f"a message that is no object but {type(content).__name__}; connecting again")
        if content.get("type") == kind_of(HelloMessage) and content.get("protocol") != PROTOCOL_VERSION:
            self.failure = (
                f"the server speaks protocol {content.get('protocol')!r}, this client {PROTOCOL_VERSION}; "
                "use the same version of both"
            )
            self._closed.set()
            raise ProtocolError(self.failure)
        match decode_message(content):
            case HelloMessage(sample_rate_hz=sample_rate_hz):
                self._hello = content
                self._sample_rate_hz = sample_rate_hz or self._sample_rate_hz
            case PongMessage(client_time_s=sent_s, monotonic_time_s=server_s):
                self._offset.add(float(sent_s), float(server_s), self._clock())
            case PositionMessage() as message:
                self._position = self._on_our_clock(position_of(message, self._sample_rate_hz))

    def _on_our_clock(self, position: Position) -> Position:
        """Before the first pong only the arrival is known: it was captured `latency_ms` earlier."""
        if position.capture_time_s is None or position.latency_ms is None:
            return position
        offset_s = self._offset.s
        if offset_s is None:
            return replace(position, capture_time_s=self._clock() - position.latency_ms / 1e3)
        return replace(position, capture_time_s=position.capture_time_s - offset_s)
