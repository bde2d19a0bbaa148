"""From the engine's thread to the listeners of one session, without the engine ever waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from follower.events import Elsewhere, Event, Markers, Notice, Practice, Session
from follower.protocol.conversion import message_of
from follower.protocol.messages import EndedMessage, HelloMessage
from follower.session.controls import ControlQueue
from follower.websocket.frames import Frame, Listener
from follower.websocket.queue import LatestWinsQueue

if TYPE_CHECKING:
    from follower.websocket.session_sound import SessionSound


def frame_queue() -> LatestWinsQueue[Frame]:
    """Return an empty queue for frames, in which a newer position replaces older ones."""
    return LatestWinsQueue(lambda frame: frame.is_position, is_sound=lambda frame: frame.is_sound)


class Broadcast:
    """One session as its listeners see it; a `follower.session.sink.Sink` that outlives its context.

    `begin` and `send` are called in the engine's thread and only enqueue; everything else runs on the server's loop.

    Args:
        name: of the session.
        loop: the server's.
        controls: where the listeners' commands go.
        clock: monotonic seconds, the clock of capture times.
        sound: the orchestra's, which one of the listeners may hear; None where there is none.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        controls: ControlQueue,
        clock: Callable[[], float] = time.monotonic,
        sound: SessionSound | None = None,
    ) -> None:
        self.sound = sound
        self.name = name
        self.controls = controls
        self._loop = loop
        self._clock = clock
        self._bridge = frame_queue()
        self._listeners: set[Listener] = set()
        self._hello: HelloMessage | None = None
        self._newest: Frame | None = None
        self._standing: dict[type[Event], Frame] = {}
        self._last: tuple[int, int] = (0, 1)

    def __enter__(self) -> Self:
        """Nothing to open: the server is running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: `end` announces it to the listeners."""

    @property
    def dropped(self) -> int:
        """Events that never reached the server's loop."""
        return self._bridge.dropped

    def begin(self, session: Session) -> None:
        """Announce a session (engine's thread)."""
        announced = message_of(session)
        assert isinstance(announced, HelloMessage)
        self._hello = msgspec.structs.replace(announced, session=self.name)
        self._newest = None
        self._standing.clear()
        self._put(Frame.of(msgspec.structs.replace(self._hello, monotonic_time_s=self._clock())))

    def send(self, event: Event) -> None:
        """Publish an event (engine's thread)."""
        self._last = (event.audio_sample, event.sample_rate_hz)
        frame = Frame.of(message_of(event))
        if frame.is_position:
            self._newest = frame
        elif isinstance(event, Practice | Markers | Elsewhere):
            self._standing = {**self._standing, type(event): frame}
        self._put(frame)

    def end(self, reason: str) -> None:
        """Announce the end of the session (engine's thread)."""
        self._put(Frame.of(EndedMessage(self.name, reason)))

    def _put(self, frame: Frame) -> None:
        if self._bridge.put(frame):
            try:
                self._loop.call_soon_threadsafe(self._distribute)
            except RuntimeError:  # the loop is closed: nobody listens any more
                self._bridge.take()

    def _distribute(self) -> None:
        for frame in self._bridge.take():
            for listener in self._listeners:
                listener.offer(frame)

    @property
    def hello(self) -> HelloMessage | None:
        """What is known of the session; None before it has begun."""
        return self._hello

    def add_listener(self, listener: Listener) -> None:
        """Add a listener and send it what stands, and the newest position, maybe long ago while the piano rests."""
        self._listeners.add(listener)
        for frame in self._standing.values():
            listener.offer(frame)
        if self._newest is not None:
            listener.offer(self._newest)

    def remove_listener(self, listener: Listener) -> None:
        """Remove a listener, if it is there."""
        self._listeners.discard(listener)

    def notice(self, text: str) -> None:
        """Send all listeners something for a person to read (server's loop)."""
        frame = Frame.of(message_of(Notice(*self._last, text)))
        for listener in self._listeners:
            listener.offer(frame)
