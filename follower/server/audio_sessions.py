"""The sessions of `follower serve`: one engine, in a thread of its own, per client that sends audio."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

from follower.cache import MANIFEST, Cache, load_cache
from follower.controls import ControlQueue
from follower.engine import Engine
from follower.errors import FollowerError, InputError
from follower.frontier.base import DEFAULT_METHOD, METHODS
from follower.runner import run
from follower.server.feed import Feed
from follower.server.incoming import RefusedError
from follower.server.sessions import AudioSession
from follower.sources.websocket import WebSocketSource


class CacheFolder:
    """The caches directly inside one folder, by name.

    A client's name is only ever compared with the names found there: it is never made part of a path. A link that
    leads out of the folder is not listed.

    Args:
        root: the folder.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"{root} is not a folder; give the folder that holds the caches with --caches")
        self._root = root.resolve()
        self._loaded: weakref.WeakValueDictionary[str, Cache] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()

    def _found(self) -> dict[str, Path]:
        return {
            path.name: path
            for path in sorted(self._root.iterdir())
            if not path.name.startswith(".") and (path / MANIFEST).is_file() and path.resolve().parent == self._root
        }

    def names(self) -> list[str]:
        """Names of the caches, sorted."""
        return list(self._found())

    def load(self, name: str | None) -> Cache:
        """Load a cache; sessions with the same one share it.

        Args:
            name: of the cache; None where there is only one.

        Raises:
            RefusedError: no such cache, or a name is needed.
            CacheError: the cache is damaged.
        """
        found = self._found()
        if name is None and len(found) == 1:
            name = next(iter(found))
        if name is None or name not in found:
            choice = f"choose one of: {', '.join(found)}" if found else "this server has none"
            asked = "no cache named" if name is None else f"no cache {name[:60]!r}"
            raise RefusedError("unknown_cache", f"{asked}; {choice}")
        with self._lock:
            cache = self._loaded.get(name)
            if cache is None:
                cache = load_cache(found[name])
                self._loaded[name] = cache
            return cache


def follow(cache: Cache, method: str, start_s: float | None, audio: AudioSession, on_end: Callable[[], None]) -> None:
    """Follow one client's audio until it ends; the body of a session's thread."""
    reason = "the audio is over"
    try:
        engine = Engine(cache, audio.source.sample_rate_hz, method, start_s)
        with audio.source as source, audio.feed as sink:
            run(source, engine, [sink], sink.controls)
    except FollowerError as e:
        reason = str(e)
    except BaseException:
        reason = "an error in the program; see the server's log"
        raise
    finally:
        audio.source.stop()
        audio.feed.end(reason)
        on_end()


class AudioSessions:
    """The sessions of `follower serve`.

    Args:
        caches: what clients may choose from.
        most: sessions at a time.
    """

    def __init__(self, caches: CacheFolder, most: int) -> None:
        self._caches = caches
        self._most = most
        self._sessions: dict[str, tuple[AudioSession, threading.Thread]] = {}
        self._numbers = itertools.count(1)
        self._opening = 0

    def cache_names(self) -> list[str]:
        """Names in the folder."""
        return self._caches.names()

    def names(self) -> list[str]:
        """Open sessions."""
        return list(self._sessions)

    def feed(self, name: str) -> Feed | None:
        """The feed of an open session."""
        return self._sessions[name][0].feed if name in self._sessions else None

    def default(self) -> Feed | None:
        """None: clients choose."""
        return None

    async def open(
        self, cache: str | None, method: str | None, start_s: float | None, source: WebSocketSource
    ) -> AudioSession:
        """Load the cache off the loop and start an engine's thread.

        Raises:
            RefusedError: too many sessions, unknown cache or method, a start outside the piece, a damaged cache.
        """
        if method is not None and method not in METHODS:
            raise RefusedError("invalid", f"no method {method[:60]!r}; choose one of: {', '.join(METHODS)}")
        if len(self._sessions) + self._opening >= self._most:
            raise RefusedError("too_many", f"{self._most} audio sessions are open, the most there can be; try later")
        self._opening += 1
        try:
            loaded = await asyncio.to_thread(self._caches.load, cache)
        except RefusedError:
            raise
        except FollowerError as e:
            raise RefusedError("failed", f"the cache cannot be used: {type(e).__name__}") from e
        finally:
            self._opening -= 1
        if start_s is not None and start_s > loaded.orchestra_duration_s:
            raise RefusedError(
                "invalid", f"start {start_s:g} s is outside the recording (0..{loaded.orchestra_duration_s:.1f} s)"
            )
        loop = asyncio.get_running_loop()
        name = f"s{next(self._numbers)}"
        audio = AudioSession(Feed(name, loop, ControlQueue()), source)

        def on_end() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the table with it
                loop.call_soon_threadsafe(self._sessions.pop, name, None)

        thread = threading.Thread(
            target=follow, args=(loaded, method or DEFAULT_METHOD, start_s, audio, on_end), name=f"session {name}"
        )
        self._sessions[name] = (audio, thread)
        thread.start()
        return audio

    def close(self) -> None:
        """End every session's audio and wait for the engines."""
        sessions = list(self._sessions.values())
        for audio, _ in sessions:
            audio.source.stop()
        for _, thread in sessions:
            thread.join()
