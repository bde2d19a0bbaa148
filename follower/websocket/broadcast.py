"""From the engine's thread to the listeners of one session, without the engine ever waiting."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from follower.events import Event, Notice, Position, Session
from follower.protocol.messages import message
from follower.session.controls import ControlQueue
from follower.websocket.queue import LatestWinsQueue


@dataclass(frozen=True, slots=True)
class Frame:
    """One text frame, encoded once for all listeners."""

    text: str
    is_position: bool

    @classmethod
    def of(cls, content: dict[str, Any]) -> Frame:
        """Encode a message."""
        return cls(json.dumps(content, allow_nan=False, separators=(",", ":")), content["type"] == "position")


class Listener(Protocol):
    """Takes frames on the server's loop; never waits."""

    def offer(self, frame: Frame) -> None:
        """Queue a frame for this listener."""
        ...


def new_outbox() -> LatestWinsQueue[Frame]:
    """Return an empty outbox for frames."""
    return LatestWinsQueue(lambda frame: frame.is_position)


class Feed:
    """One session as its listeners see it; a `follower.session.sink.Sink` that outlives its context.

    `begin` and `send` are called in the engine's thread and only enqueue; everything else runs on the server's loop.

    Args:
        name: of the session.
        loop: the server's.
        controls: where the listeners' commands go.
        clock: monotonic seconds, the clock of capture times.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        controls: ControlQueue,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.controls = controls
        self._loop = loop
        self._clock = clock
        self._bridge = new_outbox()
        self._listeners: set[Listener] = set()
        self._session: dict[str, Any] | None = None
        self._newest: Frame | None = None
        self._last: tuple[int, int] = (0, 1)

    def __enter__(self) -> Self:
        """Nothing to open: the server is running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: `end` tells the listeners."""

    @property
    def dropped(self) -> int:
        """Events that never reached the server's loop."""
        return self._bridge.dropped

    def begin(self, session: Session) -> None:
        """Announce a session (engine's thread)."""
        self._session = {**message(session), "session": self.name}
        self._newest = None
        self._put(Frame.of(self.hello()))

    def send(self, event: Event) -> None:
        """Publish an event (engine's thread)."""
        self._last = (event.audio_sample, event.sample_rate_hz)
        frame = Frame.of(message(event))
        if isinstance(event, Position):
            self._newest = frame
        self._put(frame)

    def end(self, reason: str) -> None:
        """Tell the listeners that the session is over (engine's thread)."""
        self._put(Frame.of({"type": "ended", "session": self.name, "reason": reason}))

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

    def hello(self) -> dict[str, Any]:
        """The session's part of a hello message; without a session's properties before it has begun."""
        return {**(self._session or {}), "monotonic_time": self._clock()}

    @property
    def begun(self) -> bool:
        """Whether there is a session to tell of."""
        return self._session is not None

    def join(self, listener: Listener) -> None:
        """Add a listener; it hears the newest position at once, which may be long ago while the piano rests."""
        self._listeners.add(listener)
        if self._newest is not None:
            listener.offer(self._newest)

    def leave(self, listener: Listener) -> None:
        """Remove a listener, if it is there."""
        self._listeners.discard(listener)

    def notice(self, text: str) -> None:
        """Tell all listeners something for a person to read (server's loop)."""
        frame = Frame.of(message(Notice(*self._last, text)))
        for listener in self._listeners:
            listener.offer(frame)
