"""One connection: what it sends is checked and carried out, what it watches is sent to it, however slow it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from follower.errors import ProtocolError
from follower.protocol.commands import RefusedError, control_of, parse
from follower.protocol.messages import PROTOCOL_VERSION, program_version
from follower.websocket.broadcast import Feed, Frame, new_outbox
from follower.websocket.limits import Limits, TokenBucket
from follower.websocket.sessions import AudioSession, Sessions
from follower.websocket.source import WebSocketSource

POLICY_VIOLATION = 1008
FULL_WAIT_S = 0.02
"""How often a client whose audio waits is looked at again."""


class ClientConnection:
    """Serves one client; lives on the server's loop.

    Args:
        connection: open.
        sessions: what can be watched and opened.
        limits: what the client may ask.
        clock: monotonic seconds.
    """

    def __init__(
        self, connection: ServerConnection, sessions: Sessions, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._limits = limits
        self._clock = clock
        self._outbox = new_outbox()
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._watched: Feed | None = None
        self._audio: AudioSession | None = None
        self._audio_rate: TokenBucket | None = None
        self._message_rate = TokenBucket(limits.messages_per_s, limits.message_burst, clock)
        self._frame_rate = TokenBucket(limits.frames_per_s, limits.frames_per_s, clock)
        self._refusals = TokenBucket(1.0, limits.refusals, clock)
        self._gone = False

    def offer(self, frame: Frame) -> None:
        """Queue a frame; a waiting position gives way to a newer one."""
        if self._gone:
            return
        self._outbox.put(frame)
        self._idle.clear()
        self._ready.set()

    async def serve(self) -> None:
        """Serve the client until it leaves or is sent away."""
        writer = asyncio.create_task(self._write())
        try:
            self._watch(self._sessions.default())
            async for data in self._connection:
                if not await self._take(data):
                    break
                await asyncio.sleep(0)  # the frames of one that floods may all be here already: others' turn
        finally:
            if self._audio is not None:
                self._audio.source.stop()
            if self._watched is not None:
                self._watched.leave(self)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    async def finish(self, within_s: float) -> None:
        """Send what waits, within a time limit, and say goodbye."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within_s)
        await self._connection.close(1001, "the server ends")

    # What is sent.

    async def _write(self) -> None:
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                while (frame := self._outbox.take_one()) is not None:
                    async with asyncio.timeout(self._limits.stall_s):
                        await self._connection.send(frame.text)
                self._idle.set()
        except TimeoutError:
            self._drop()
        finally:
            self._gone = True
            self._idle.set()

    def _drop(self) -> None:
        """Cut off a client that takes nothing; tell the others who watch the same session."""
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.leave(self)
            where = self._connection.remote_address
            name = f"{where[0]}:{where[1]}" if where else "unknown"
            watched.notice(f"listener {name} was dropped: it took nothing for {self._limits.stall_s:g} s")
        self._connection.transport.abort()

    def _say(self, content: dict[str, Any]) -> None:
        self.offer(Frame.of(content))

    def _hello(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": "hello",
            "protocol": PROTOCOL_VERSION,
            "program_version": program_version(),
            "monotonic_time": self._clock(),
            "caches": self._sessions.cache_names(),
        }
        if self._watched is not None and self._watched.begun:
            content |= self._watched.hello()
        return content

    def _watch(self, feed: Feed | None) -> None:
        if self._watched is not None:
            self._watched.leave(self)
        self._watched = feed
        self._say(self._hello())
        if feed is not None:
            feed.join(self)

    # What is received.

    async def _take(self, data: str | bytes) -> bool:
        """Carry out one frame; False when the client is to be sent away."""
        try:
            if len(data) > self._limits.message_bytes:
                raise RefusedError(
                    "too_large", f"a frame of {len(data)} bytes; send {self._limits.message_bytes} or less"
                )
            if isinstance(data, bytes):
                await self._take_audio(data)
            else:
                if self._message_rate.wait_s(1.0) > 0.0:
                    most = self._limits.messages_per_s
                    raise RefusedError("rate", f"more than {most:g} messages a second; slow down")
                await self._take_message(parse(data))
        except RefusedError as e:
            return await self._refuse(e.code, str(e))
        except ProtocolError as e:
            return await self._refuse("invalid", str(e))
        return True

    async def _refuse(self, code: str, message: str) -> bool:
        self._say({"type": "error", "code": code, "message": message})
        if self._refusals.wait_s(1.0) == 0.0:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), 1.0)
        await self._connection.close(POLICY_VIOLATION, "too many refused messages")
        return False

    async def _take_message(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "hello":
                self._say(self._hello())
            case "ping":
                self._say({"type": "pong", "client_time": message["client_time"], "monotonic_time": self._clock()})
            case "list":
                caches, sessions = self._sessions.cache_names(), self._sessions.names()
                self._say({"type": "list", "caches": caches, "sessions": sessions})
            case "watch":
                feed = self._sessions.feed(message["session"])
                if feed is None:
                    raise RefusedError("unknown_session", f"no session {message['session'][:60]!r}; ask with list")
                self._watch(feed)
            case "audio":
                await self._open_audio(message)
            case "gap":
                self._audio_source().lost(message["lost_samples"])
            case "end":
                self._audio_source().stop()
                self._audio = None
            case kind:
                control = control_of(message)
                assert control is not None, kind
                if self._watched is None:
                    raise RefusedError("unexpected", f"{kind} before a session is open; send audio or watch first")
                self._watched.controls.put(control)

    async def _open_audio(self, message: dict[str, Any]) -> None:
        if self._audio is not None and not self._audio.source.stopped:
            raise RefusedError("unexpected", "this connection has an audio session already; send end first")
        rate_hz, channels = int(message["sample_rate"]), int(message.get("channels", 1))
        source = WebSocketSource(rate_hz, message["format"], channels, clock=self._clock)
        self._audio = await self._sessions.open(
            message.get("cache"), message.get("method"), message.get("start"), source
        )
        self._audio_rate = TokenBucket(
            self._limits.audio_speed * rate_hz, self._limits.audio_burst_s * rate_hz, self._clock
        )
        self._watch(self._audio.feed)

    def _audio_source(self) -> WebSocketSource:
        if self._audio is None:
            raise RefusedError("unexpected", "no audio session is open; send audio first")
        return self._audio.source

    async def _take_audio(self, data: bytes) -> None:
        """Hand one frame to the engine's thread; while that is behind, the client is read no further."""
        if self._audio is None or self._audio_rate is None:
            raise RefusedError("unexpected", "a binary frame before an audio message; say sample_rate and format first")
        source = self._audio.source
        while (wait_s := self._frame_rate.wait_s(1.0)) > 0.0:
            await asyncio.sleep(wait_s)
        while (wait_s := self._audio_rate.wait_s(source.samples_in(data))) > 0.0:
            await asyncio.sleep(wait_s)
        while not source.offer(data):
            await asyncio.sleep(FULL_WAIT_S)
