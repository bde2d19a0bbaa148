"""One connection: what it sends is checked and carried out, what it watches is sent to it, however slow it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import msgspec
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from follower.errors import ProtocolError
from follower.library.library import Library
from follower.protocol.codec import RefusedError, decode_request, kind_of
from follower.protocol.commands import (
    AskHello,
    AskList,
    Captured,
    EndAudio,
    OpenAudio,
    Ping,
    ReportGap,
    Request,
    SessionCommand,
    Watch,
)
from follower.protocol.messages import (
    PROTOCOL_VERSION,
    ErrorCode,
    ErrorMessage,
    HelloMessage,
    ListMessage,
    Message,
    PongMessage,
)
from follower.protocol.room_requests import LibraryRequest, PieceRequest, SoundRequest
from follower.version import program_version
from follower.websocket.broadcast import Broadcast, frame_queue
from follower.websocket.frames import Frame
from follower.websocket.library_requests import LibraryRequests
from follower.websocket.limits import Limits, TokenBucket
from follower.websocket.piece_requests import PieceRequests
from follower.websocket.sessions import AudioSession, Sessions
from follower.websocket.source import CLIENT_LEFT, WebSocketSource

GOING_AWAY = 1001
POLICY_VIOLATION = 1008
MARK_EVERY_BYTES = 8 << 10
"""After so many bytes a client is pinged: its answer says that it has read so far."""
BEHIND_S = 1.0
"""A client that has more than enough unread is sent one frame in so many seconds: fewer than a slow one reads."""
FULL_WAIT_S = 0.02
"""How often a client whose audio waits is looked at again."""


class ClientConnection:
    """Serves one client; lives on the server's loop.

    Args:
        connection: open.
        sessions: what can be watched and opened.
        limits: what the client may ask.
        clock: monotonic seconds.
        library: pieces that the client may bring, rename and remove; None for none.
    """

    def __init__(
        self,
        connection: ServerConnection,
        sessions: Sessions,
        limits: Limits,
        clock: Callable[[], float],
        library: Library | None = None,
    ) -> None:
        self._connection = connection
        self._sessions = sessions
        self._limits = limits
        self._clock = clock
        self._queue = frame_queue()
        self._ready = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._watched: Broadcast | None = None
        self._audio: AudioSession | None = None
        self._audio_rate: TokenBucket | None = None
        self._message_rate = TokenBucket(limits.messages_per_s, limits.message_burst, clock)
        self._frame_rate = TokenBucket(limits.frames_per_s, limits.frames_per_s, clock)
        self._loop_time = TokenBucket(limits.loop_share, limits.loop_burst_s, clock)
        self._refusals = TokenBucket(1.0, limits.refusals, clock)
        self._gone = False
        self._sent_bytes = 0
        self._read_bytes = 0
        self._marking: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._library = LibraryRequests(library, self._send)
        self._room = PieceRequests(sessions, self, self._send, self._send_bytes)

    def offer(self, frame: Frame) -> None:
        """Queue a frame; a waiting position gives way to a newer one."""
        if self._gone:
            return
        if self._idle.is_set() and self._connection.transport.get_write_buffer_size() == 0 and not self._is_behind():
            # Who keeps up is written to at once: waking a task for each of many listeners takes several times as long.
            broadcast((self._connection,), frame.content)
            self._count(frame.content)
            return
        self._queue.put(frame)
        self._idle.clear()
        self._ready.set()

    async def serve(self) -> None:
        """Serve the client until it leaves or is sent away."""
        writer = asyncio.create_task(self._write())
        try:
            self._watch(self._sessions.default_broadcast())
            async for data in self._connection:
                if not await self._handle_frame(data):
                    break
                await asyncio.sleep(0)  # the frames of one that floods may all be here already: others' turn
        finally:
            if self._audio is not None and not self._audio.source.stopped:
                self._leave_audio(self._audio)
            if self._watched is not None:
                self._watched.remove_listener(self)
            self._room.close()
            await self._library.close()
            if self._marking is not None:
                self._marking.cancel()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    def _leave_audio(self, audio: AudioSession) -> None:
        """A client that said goodbye, or was sent away, has ended its session; from a broken one we may hear again.

        So may we from a page that is loaded anew: browsers close with GOING_AWAY then.
        """
        closing = self._connection.protocol
        reloads = closing.close_rcvd is not None and closing.close_rcvd.code == GOING_AWAY
        if reloads or (closing.close_rcvd is None and closing.close_sent is None):
            self._sessions.leave(audio)
        else:
            audio.source.abandon(CLIENT_LEFT)

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
                while True:
                    if self._is_behind():
                        self._caught_up.clear()
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._caught_up.wait(), BEHIND_S)
                    if (frame := self._queue.take_one()) is None:
                        break
                    async with asyncio.timeout(self._limits.stall_s):
                        await self._connection.send(frame.content)
                    self._count(frame.content)
                self._idle.set()
        except TimeoutError:
            self._drop()
        finally:
            self._gone = True
            self._idle.set()

    def _is_behind(self) -> bool:
        """Whether more is on its way than a client may have unread.

        What a client does not read waits in its system's buffers, which grow to many megabytes: half an hour of
        positions, and our pings behind them. So the rest waits here, where a newer position replaces it.
        """
        return self._sent_bytes - self._read_bytes > self._limits.unread_bytes

    def _count(self, content: str | bytes) -> None:
        if isinstance(content, bytes):  # sound: nothing newer can replace it, and a hole is worse than a delay
            return
        self._sent_bytes += len(content)
        if self._marking is None and self._sent_bytes - self._read_bytes > MARK_EVERY_BYTES:
            self._marking = asyncio.get_running_loop().create_task(self._mark(self._sent_bytes))

    async def _mark(self, sent_bytes: int) -> None:
        """Learn when the client has read all that was sent until now."""
        try:
            await (await self._connection.ping(f'{{"type":"mark","sent_bytes":{sent_bytes}}}'))
        except ConnectionClosed:
            return
        self._read_bytes = sent_bytes
        self._marking = None
        self._caught_up.set()

    def _drop(self) -> None:
        """Cut off a client that takes nothing; report it to the others who watch the same session."""
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.remove_listener(self)
            where = self._connection.remote_address
            name = f"{where[0]}:{where[1]}" if where else "unknown"
            watched.notice(f"listener {name} was dropped: it took nothing for {self._limits.stall_s:g} s")
        self._connection.transport.abort()

    def _send(self, message: Message) -> None:
        self.offer(Frame.of(message))

    async def _send_bytes(self, data: bytes) -> None:
        async with asyncio.timeout(self._limits.stall_s):
            await self._connection.send(data)

    def _send_hello(self) -> None:
        known = self._watched.hello if self._watched is not None else None
        hello = HelloMessage(PROTOCOL_VERSION, program_version()) if known is None else known
        caches = self._sessions.cache_names()
        self._send(msgspec.structs.replace(hello, monotonic_time_s=self._clock(), caches=caches))

    def _watch(self, broadcast: Broadcast | None) -> None:
        if self._watched is not None:
            self._watched.remove_listener(self)
        self._watched = broadcast
        self._room.watch(broadcast)
        self._send_hello()
        if broadcast is not None:
            broadcast.add_listener(self)

    # What is received.

    async def _handle_frame(self, data: str | bytes) -> bool:
        """Carry out one frame; False when the client is to be sent away."""
        try:
            longest = self._limits.message_bytes if isinstance(data, bytes) else self._limits.text_bytes
            if len(data) > longest:
                raise RefusedError("too_large", f"a frame of {len(data)} bytes; send {longest} or less")
            if isinstance(data, bytes):
                await (self._library.receive(data) if self._library.receiving else self._pass_on_audio(data))
            else:
                if self._message_rate.wait_s(1.0) > 0.0:
                    limit = self._limits.messages_per_s
                    raise RefusedError("rate", f"more than {limit:g} messages a second; slow down")
                await self._handle(await self._decode(data))
        except RefusedError as e:
            return await self._refuse(e.code, str(e))
        except ProtocolError as e:
            return await self._refuse("invalid", str(e))
        return True

    async def _decode(self, text: str) -> Request:
        """Understand a text, in its turn: who took much of the loop's time is read more slowly."""
        begun_s = time.thread_time()
        try:
            return decode_request(text)
        finally:
            spent_s = time.thread_time() - begun_s
            while (wait_s := self._loop_time.wait_s(spent_s)) > 0.0:
                await self._rest(wait_s)

    async def _refuse(self, code: ErrorCode, message: str) -> bool:
        self._send(ErrorMessage(code, message))
        if self._refusals.wait_s(1.0) == 0.0:
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), 1.0)
        await self._connection.close(POLICY_VIOLATION, "too many refused messages")
        return False

    async def _handle(self, request: Request) -> None:
        if isinstance(request, LibraryRequest):
            await self._library.handle(request)
        elif isinstance(request, SoundRequest | PieceRequest):
            await self._room.handle(request)
        else:
            await self._handle_session(request)

    async def _handle_session(
        self, request: AskHello | Ping | AskList | Watch | OpenAudio | ReportGap | Captured | EndAudio | SessionCommand
    ) -> None:
        match request:
            case AskHello():
                self._send_hello()
            case Ping(client_time_s=client_time_s):
                self._send(PongMessage(client_time_s, self._clock()))
            case AskList():
                self._send(ListMessage(self._sessions.cache_names(), self._sessions.names()))
            case Watch(session=name):
                broadcast = self._sessions.broadcast(name)
                if broadcast is None:
                    raise RefusedError("unknown_session", f"no session {name[:60]!r}; ask with list")
                self._watch(broadcast)
            case OpenAudio():
                await self._open_audio(request)
            case ReportGap(lost_samples=lost_samples):
                self._audio_source().lost(lost_samples)
            case Captured(sample=sample, at_s=at_s):
                self._audio_source().stamp(sample, float(at_s))
            case EndAudio():
                self._audio_source().stop()
                self._audio = None
            case command:
                if self._watched is None:
                    kind = kind_of(type(command))
                    raise RefusedError("unexpected", f"{kind} before a session is open; send audio or watch first")
                self._watched.controls.put(command)

    async def _open_audio(self, request: OpenAudio) -> None:
        if self._audio is not None and not self._audio.source.stopped:
            raise RefusedError("unexpected", "this connection has an audio session already; send end first")
        rate_hz = request.sample_rate_hz
        if request.resume:
            self._audio = self._sessions.resume(request.resume, rate_hz, request.format, request.channels)
        else:
            source = WebSocketSource(
                rate_hz, request.format, request.channels, clock=self._clock, idle_limit_s=self._limits.audio_idle_s
            )
            self._audio = await self._sessions.open(
                request.cache or None, request.method or None, request.start_s, source
            )
        self._audio_rate = TokenBucket(
            self._limits.audio_speed * rate_hz, self._limits.audio_burst_s * rate_hz, self._clock
        )
        self._watch(self._audio.broadcast)

    def _audio_source(self) -> WebSocketSource:
        if self._audio is None:
            raise RefusedError("unexpected", "no audio session is open; send audio first")
        return self._audio.source

    async def _pass_on_audio(self, data: bytes) -> None:
        """Hand one frame to the engine's thread; while that is behind, the client is read no further."""
        if self._audio is None or self._audio_rate is None:
            raise RefusedError("unexpected", "a binary frame before an audio message; say sample_rate and format first")
        source = self._audio.source
        while (wait_s := self._frame_rate.wait_s(1.0)) > 0.0:
            await self._rest(wait_s)
        while (wait_s := self._audio_rate.wait_s(source.samples_in(data))) > 0.0:
            await self._rest(wait_s)
        while not source.offer(data):
            await self._rest(FULL_WAIT_S)

    async def _rest(self, seconds: float) -> None:
        """Read this client no further for so long; raises ConnectionClosed when the connection ends meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._connection.wait_closed()
                raise self._connection.protocol.close_exc
