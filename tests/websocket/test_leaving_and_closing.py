"""Clients that leave work behind, and a server that must end while engines are busy."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from follower.events import AudioBlock, Event
from follower.piece.manifest import MANIFEST
from follower.testing import SOUND_RATE_HZ, FakeEngine, make_piece, make_sound
from follower.websocket import audio_sessions
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.limits import Limits
from follower.websocket.thread import ServerThread

WAIT_S = 20.0
AUDIO = {"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one cache, whose piece is made in memory."""
    (tmp_path / "piece").mkdir()
    (tmp_path / "piece" / MANIFEST).write_text("{}")
    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", lambda path: make_piece(20.0))
    return tmp_path


@contextlib.contextmanager
def serving(caches: Path) -> Iterator[tuple[ServerThread, AudioSessions]]:
    made: list[AudioSessions] = []

    def sessions(_: object) -> AudioSessions:
        made.append(AudioSessions(CacheFolder(caches), 8))
        return made[0]

    with ServerThread(0, Access("127.0.0.1"), Limits(), sessions) as server:
        yield server, made[0]


def client(port: int) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None)


def receive(connection: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=WAIT_S))
        if message["type"] == kind:
            return message


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.01)


def session_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("session ")]


def test_a_client_that_reports_huge_gaps_and_leaves_costs_little(caches: Path) -> None:
    sound = make_sound(3.0)
    begun_s = time.process_time()
    with serving(caches) as (server, sessions):
        with client(server.port) as connection:
            connection.send(json.dumps(AUDIO))
            for at in range(0, len(sound), 2048):
                connection.send(sound[at : at + 2048].astype("<f4").tobytes())
            receive(connection, "position")
            for _ in range(190):
                connection.send(json.dumps({"type": "gap", "lost_samples": 10**9}))
                connection.send(np.zeros(64, "<f4").tobytes())
        until(lambda: not sessions.names())
    # Unbounded, this was 7 s for a piece of 20 s, and 90 s for a movement.
    assert time.process_time() - begun_s < 4.0


class Blocked(FakeEngine):
    """Hangs in its first block until it is let go."""

    entered = threading.Event()
    released = threading.Event()
    taken: list[int] = []  # noqa: RUF012

    def process(self, block: AudioBlock) -> list[Event]:
        if len(block.samples):
            self.taken.append(block.first_sample)
            self.entered.set()
            assert self.released.wait(WAIT_S)
        return super().process(block)


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Blocked]]:
    Blocked.entered.clear()
    Blocked.released.clear()
    Blocked.taken.clear()
    monkeypatch.setattr("follower.engine.Engine", lambda piece, rate, method, start: Blocked(rate))
    yield Blocked
    Blocked.released.set()
    for thread in session_threads():
        thread.join(WAIT_S)


def test_what_waits_is_forgotten_when_the_client_leaves(caches: Path, blocked: type[Blocked]) -> None:
    with serving(caches) as (server, sessions):
        with client(server.port) as connection:
            connection.send(json.dumps(AUDIO))
            for _ in range(20):
                connection.send(np.zeros(512, "<f4").tobytes())
            connection.send(json.dumps({"type": "ping", "client_time": 1}))
            receive(connection, "pong")  # all of it has arrived
            assert blocked.entered.wait(WAIT_S)
        until(lambda: sessions.broadcast("s1") is None or sessions._sessions["s1"][0].source.stopped)
        blocked.released.set()
        until(lambda: not sessions.names())
    assert blocked.taken == [0]


def test_what_was_sent_before_the_end_is_followed(caches: Path, blocked: type[Blocked]) -> None:
    blocked.released.set()
    with serving(caches) as (server, _), client(server.port) as connection:
        connection.send(json.dumps(AUDIO))
        for _ in range(20):
            connection.send(np.zeros(512, "<f4").tobytes())
        connection.send(json.dumps({"type": "end"}))
        assert receive(connection, "ended")["reason"] == "the audio is over"
    assert len(blocked.taken) == 20


def test_an_engine_that_hangs_does_not_keep_the_server_from_ending(
    caches: Path, blocked: type[Blocked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_sessions, "CLOSE_WITHIN_S", 0.1)
    with contextlib.ExitStack() as stack:
        server, _ = stack.enter_context(serving(caches))
        with client(server.port) as connection:
            connection.send(json.dumps(AUDIO))
            connection.send(np.zeros(512, "<f4").tobytes())
            assert blocked.entered.wait(WAIT_S)
            begun_s = time.monotonic()
            stack.close()
    assert time.monotonic() - begun_s < WAIT_S / 2
    assert not blocked.released.is_set()
    assert all(thread.daemon for thread in session_threads()), "nor the process"


def test_clients_are_told_that_it_is_the_server_that_ends(caches: Path, blocked: type[Blocked]) -> None:
    blocked.released.set()
    with contextlib.ExitStack() as stack:
        server, _ = stack.enter_context(serving(caches))
        with client(server.port) as connection:
            connection.send(json.dumps(AUDIO))
            connection.send(np.zeros(512, "<f4").tobytes())
            receive(connection, "position")
            stack.close()
            assert receive(connection, "ended")["reason"] == "the server ends"
