"""The sessions of `follower serve`: one engine, in a thread of its own, per client that sends audio."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

from follower.errors import FollowerError, InputError
from follower.events import Event, Notice, StateChange
from follower.inference.methods import DEFAULT_METHOD, METHODS
from follower.library.library import trouble_with
from follower.piece.bounds import require_in_orchestra
from follower.piece.piece import Piece
from follower.playback.desk import Desk
from follower.practice.room import PracticeRoom
from follower.protocol.codec import RefusedError
from follower.session.controls import ControlQueue
from follower.session.engine_port import EnginePort
from follower.session.runner import run
from follower.websocket.broadcast import Broadcast
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.session_setup import SessionSetup
from follower.websocket.session_sound import SessionSound
from follower.websocket.sessions import AudioSession
from follower.websocket.source import CLIENT_LEFT, WebSocketSource

SERVER_ENDS = "the server ends"
"""Why a session ended that its client may want to go on with when the server is back."""
LOG = logging.getLogger("follower.serve")
LOG.addHandler(logging.NullHandler())
PLAIN = "text/plain; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
CLOSE_WITHIN_S = 5.0
"""How long the server's end waits for its engines, all together; one that hangs must not keep the program running."""


class LocalEngines:
    """Engines in the threads of their sessions."""

    @contextlib.contextmanager
    def engine(
        self, piece: Piece, sample_rate_hz: int, method: str, start_s: float | None = None
    ) -> Iterator[EnginePort]:
        """Make an engine."""
        from follower.engine import Engine  # a server whose engines are in other processes need not load it

        yield Engine(piece, sample_rate_hz, method, start_s)


def log(event: str, fields: Mapping[str, object], level: int = logging.INFO) -> None:
    """Note an event with its figures (see `follower.commands.logs`)."""
    LOG.log(level, event, extra={"fields": fields})


def follow(
    setup: SessionSetup,
    piece: Piece,
    method: str,
    start_s: float | None,
    audio: AudioSession,
    on_end: Callable[[], None],
) -> None:
    """Follow one client's audio until it ends; the body of a session's thread."""
    reason: str | None = None
    engines = LocalEngines() if setup.engines is None else setup.engines
    name, observe = audio.broadcast.name, setup.metrics.observe if setup.metrics is not None else None

    def on_event(event: Event) -> None:
        if observe is not None:
            observe(event)
        if isinstance(event, StateChange):
            log("state", {"session": name, "state": event.state.value, "reason": event.reason}, logging.DEBUG)
        elif isinstance(event, Notice):
            log("notice", {"session": name, "message": event.message})

    try:
        sound = audio.broadcast.sound
        room = PracticeRoom(piece, audio.source.sample_rate_hz, Desk() if sound is None else sound.desk)
        with (
            engines.engine(piece, audio.source.sample_rate_hz, method, start_s) as engine,
            setup.recorder(name, engine, start_s) as recorder,
            audio.source as source,
            audio.broadcast as sink,
            contextlib.closing(room),
        ):
            run(source, engine, [sink], sink.controls, on_event, partner=room, recorder=recorder)
    except FollowerError as e:
        reason = str(e)
    except BaseException:
        reason = "an error in the program; see the server's log"
        raise
    finally:
        audio.source.stop()
        reason = reason or audio.source.end_reason
        log("ended", {"session": name, "reason": reason})
        audio.broadcast.end(reason)
        on_end()


class AudioSessions:
    """The sessions of `follower serve`.

    Args:
        caches: what clients may choose from.
        max_sessions: sessions at a time.
        resume_s: how long a session whose connection broke waits for its client.
        setup: what they are made with; None: engines in their own threads, and nothing else.
        server: begins the sessions' names, where several servers share an address: a client that comes back must not
            find somebody else's session under the name of its own.
    """

    def __init__(
        self,
        caches: CacheFolder,
        max_sessions: int,
        resume_s: float = 20.0,
        setup: SessionSetup | None = None,
        server: str = "",
    ) -> None:
        self._prefix = f"{server}-" if server else ""
        self._setup = SessionSetup() if setup is None else setup
        self._caches = caches
        self._max_sessions = max_sessions
        self._resume_s = resume_s
        self._left: dict[str, asyncio.TimerHandle] = {}
        self._sessions: dict[str, tuple[AudioSession, threading.Thread]] = {}
        self._numbers = itertools.count(1)
        self._opening = 0

    def cache_names(self) -> list[str]:
        """Names in the folder."""
        return self._caches.names()

    def names(self) -> list[str]:
        """Open sessions."""
        return list(self._sessions)

    def broadcast(self, name: str) -> Broadcast | None:
        """What comes out of an open session."""
        return self._sessions[name][0].broadcast if name in self._sessions else None

    def default_broadcast(self) -> Broadcast | None:
        """None: clients choose."""
        return None

    def status(self, path: str) -> tuple[HTTPStatus, bytes, str] | None:
        """The pages for machines: whether sessions can be followed, and the server's figures."""
        if path == "/healthz":
            if self._setup.healthy():
                return HTTPStatus.OK, b"ok\n", PLAIN
            return HTTPStatus.SERVICE_UNAVAILABLE, b"engines are missing\n", PLAIN
        if path == "/metrics" and self._setup.metrics is not None:
            return HTTPStatus.OK, self._setup.metrics.text(), PROMETHEUS
        return None

    async def open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        """Open a session, and note that or why not.

        Raises:
            RefusedError: too many sessions or too much to do, unknown cache or method, a start outside the piece, a
                damaged cache.
        """
        metrics, asked = self._setup.metrics, {"cache": cache or "", "method": method or DEFAULT_METHOD}
        try:
            audio = await self._open(cache, method, start_s, source)
        except RefusedError as e:
            log("refused", {**asked, "code": e.code, "reason": str(e)}, logging.WARNING)
            if metrics is not None:
                metrics.refused.labels(e.code).inc()
            raise
        log("opened", {"session": audio.broadcast.name, **asked, "sample_rate_hz": source.sample_rate_hz})
        if metrics is not None:
            metrics.opened.inc()
        return audio

    async def _open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        """Load the cache off the loop and start an engine's thread.

        Raises:
            RefusedError: too many sessions, unknown cache or method, a start outside the piece, a damaged cache.
        """
        if method is not None and method not in METHODS:
            raise RefusedError("invalid", f"no method {method[:60]!r}; choose one of: {', '.join(METHODS)}")
        if len(self._sessions) + self._opening >= self._max_sessions:
            raise RefusedError(
                "too_many", f"{self._max_sessions} audio sessions are open, the most there can be; try later"
            )
        if (why := self._setup.refusal()) is not None:
            raise RefusedError("too_many", why)
        self._opening += 1
        try:
            loaded = await self._load(cache)
            if not await asyncio.to_thread(self._setup.ready):
                raise RefusedError("failed", "the engines of this server did not start; its log says why")
        finally:
            self._opening -= 1
        if start_s is not None:
            try:
                require_in_orchestra("start", start_s, loaded.orchestra_duration_s)
            except InputError as e:
                raise RefusedError("invalid", str(e)) from e
        loop = asyncio.get_running_loop()
        name = f"{self._prefix}s{next(self._numbers)}"
        audio = AudioSession(Broadcast(name, loop, ControlQueue(), sound=SessionSound(loaded, Desk())), source)

        def on_end() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the table with it
                loop.call_soon_threadsafe(self._sessions.pop, name, None)
                if audio.broadcast.sound is not None:
                    loop.call_soon_threadsafe(audio.broadcast.sound.close)

        thread = threading.Thread(
            target=follow,
            args=(self._setup, loaded, method or DEFAULT_METHOD, start_s, audio, on_end),
            name=f"session {name}",
            daemon=True,
        )
        self._sessions[name] = (audio, thread)
        thread.start()
        return audio

    async def piece(self, name: str) -> Piece:
        """Load a piece by its name.

        Raises:
            RefusedError: no such piece, or it is damaged.
        """
        return await self._load(name)

    async def _load(self, name: str | None) -> Piece:
        try:
            return await asyncio.to_thread(self._caches.load, name)
        except RefusedError:
            raise
        except FollowerError as e:
            raise RefusedError("failed", f"the cache {name or 'of this server'} {trouble_with(e)}") from e

    def leave(self, audio: AudioSession) -> None:
        """Keep a session whose connection broke; end it when nobody comes back in time."""
        name = audio.broadcast.name

        def give_up() -> None:
            self._left.pop(name, None)
            audio.source.abandon(CLIENT_LEFT)

        log("left", {"session": name})
        self._left[name] = asyncio.get_running_loop().call_later(self._resume_s, give_up)

    def resume(self, name: str, sample_rate_hz: int, sample_format: str, channels: int) -> AudioSession:
        """Give a session whose connection broke to the client that has come back.

        Raises:
            RefusedError: there is none of that name, or its audio was another one.
        """
        if name not in self._left or name not in self._sessions:
            raise RefusedError("unknown_session", f"no session {name[:60]!r} waits for its client; open a new one")
        audio = self._sessions[name][0]
        if not audio.source.takes(sample_rate_hz, sample_format, channels):
            raise RefusedError("invalid", f"session {name} has audio of another rate, format or number of channels")
        self._left.pop(name).cancel()
        audio.source.resume()
        log("resumed", {"session": name})
        return audio

    def close(self) -> None:
        """End every session and wait for the engines, no longer than `CLOSE_WITHIN_S`."""
        sessions = list(self._sessions.values())
        for audio, _ in sessions:
            audio.source.abandon(SERVER_ENDS)
        deadline_s = time.monotonic() + CLOSE_WITHIN_S
        for _, thread in sessions:
            thread.join(max(deadline_s - time.monotonic(), 0.0))
