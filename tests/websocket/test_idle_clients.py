"""Clients that hold a place and do nothing with it, connections that die silently, and clients that come back."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from follower.piece.manifest import MANIFEST
from follower.session.controls import ControlQueue
from follower.testing import RATE_HZ, SESSION, FakeEngine, FakePiece, position
from follower.websocket.access import Access
from follower.websocket.audio_sessions import AudioSessions
from follower.websocket.cache_folder import CacheFolder
from follower.websocket.connection import MARK_EVERY_BYTES
from follower.websocket.limits import Limits
from follower.websocket.sink import WebSocketSink
from follower.websocket.source import WebSocketSource
from follower.websocket.thread import ServerThread

WAIT_S = 20.0
TEXT, PING, PONG = 1, 9, 10
AUDIO = {"type": "audio", "sample_rate": RATE_HZ, "format": "f32le"}
BLOCK = np.zeros(441, "<f4").tobytes()


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ServerThread]]:
    (tmp_path / "piece").mkdir()
    (tmp_path / "piece" / MANIFEST).write_text("{}")
    monkeypatch.setattr("follower.websocket.cache_folder.load_piece", lambda path: FakePiece())
    monkeypatch.setattr("follower.engine.Engine", lambda piece, rate, method, start: FakeEngine(rate))
    with contextlib.ExitStack() as stack:

        def start(**limits: Any) -> ServerThread:
            bounds = Limits(**limits)
            return stack.enter_context(
                ServerThread(
                    0,
                    Access("127.0.0.1"),
                    bounds,
                    lambda _: AudioSessions(CacheFolder(tmp_path), bounds.sessions, bounds.resume_s),
                )
            )

        yield start


@contextlib.contextmanager
def client(port: int) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as connection:
        yield connection


def send(connection: ClientConnection, **content: object) -> None:
    connection.send(json.dumps(content))


def receive(connection: ClientConnection, kind: str, **wanted: object) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=WAIT_S))
        if message["type"] == kind and all(message.get(k) == v for k, v in wanted.items()):
            return message


def test_an_idle_session_ends_and_gives_its_place(serving: Callable[..., ServerThread]) -> None:
    server = serving(sessions=1, audio_idle_s=0.3)
    with client(server.port) as idle:
        send(idle, **AUDIO)
        receive(idle, "hello", session="s1")
        assert "no audio came for 0.3 s" in receive(idle, "ended")["reason"]
        with client(server.port) as other:
            send(other, **AUDIO)
            receive(other, "hello", session="s2")


def test_a_session_whose_audio_comes_is_not_idle() -> None:
    now_s = 0.0
    source = WebSocketSource(1000, clock=lambda: now_s, idle_limit_s=2.0)
    blocks = source.blocks()
    for _ in range(10):
        source.offer(np.zeros(100, "<f4").tobytes())
        assert len(next(blocks).samples) == 100  # type: ignore[union-attr]
        now_s += 1.9
    assert not source.stopped
    now_s += 0.2
    assert list(blocks) == []
    assert source.stopped and "no audio came for 2 s" in source.end_reason


def dead_socket(port: int) -> socket.socket:
    """A connection whose other side answers nothing, not even a ping, as after the network went away."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    sock.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return sock


def test_a_connection_that_answers_no_ping_is_closed() -> None:
    with (
        WebSocketSink(0, ControlQueue(), limits=Limits(keepalive_s=0.1, silent_s=0.1)) as sink,
        contextlib.closing(dead_socket(sink.port)) as dead,
        client(sink.port) as living,
    ):
        with contextlib.suppress(ConnectionResetError):
            while dead.recv(4096):
                pass
        assert living.ping().wait(WAIT_S), "one that answers stays"


def broken(connection: ClientConnection) -> None:
    """Break a connection as a network does: no closing handshake."""
    connection.socket.shutdown(socket.SHUT_RDWR)


def test_a_client_whose_connection_broke_goes_on_with_its_session(serving: Callable[..., ServerThread]) -> None:
    server = serving(resume_s=30.0)
    with client(server.port) as first:
        send(first, **AUDIO)
        name = receive(first, "hello", session="s1")["session"]
        first.send(BLOCK)
        assert receive(first, "position")["seq"] == 0
        send(first, type="seek", orchestra_time=50)
        first.send(BLOCK)
        receive(first, "position", seq=1)
        broken(first)
    with client(server.port) as again:
        for _ in range(90):  # the server notices in its own time
            send(again, **AUDIO, resume=name)
            message = json.loads(again.recv(timeout=WAIT_S))
            while message["type"] != "error" and "session" not in message:
                message = json.loads(again.recv(timeout=WAIT_S))
            if message["type"] == "hello":
                break
        assert message["session"] == name
        again.send(BLOCK)
        position = receive(again, "position", seq=2)
        assert position["orchestra_time"] == pytest.approx(50.02, abs=0.001), "the place is remembered"
        with client(server.port) as thief:
            send(thief, **AUDIO, resume=name)
            assert receive(thief, "error")["code"] == "unknown_session", "it has its client"


def test_what_a_client_missed_during_a_break_is_lost() -> None:
    now_s = 10.0
    source = WebSocketSource(1000, clock=lambda: now_s)
    blocks = source.blocks()
    source.offer(np.zeros(100, "<f4").tobytes())
    assert next(blocks).first_sample == 0  # type: ignore[union-attr]
    now_s = 15.0
    source.resume()
    now_s = 15.5
    for expected in (5500, 5600):
        source.offer(np.zeros(100, "<f4").tobytes())
        assert next(blocks).first_sample == expected  # type: ignore[union-attr]


def test_a_session_nobody_comes_back_to_ends(serving: Callable[..., ServerThread]) -> None:
    server = serving(resume_s=0.1, sessions=1)
    with client(server.port) as first, client(server.port) as watcher:
        send(first, **AUDIO)
        receive(first, "hello", session="s1")
        send(watcher, type="watch", session="s1")
        receive(watcher, "hello", session="s1")
        broken(first)
        assert receive(watcher, "ended")["reason"] == "its client has left"


def test_a_client_that_closes_properly_has_ended_its_session(serving: Callable[..., ServerThread]) -> None:
    server = serving(resume_s=1000.0)
    with client(server.port) as watcher:
        with client(server.port) as first:
            send(first, **AUDIO)
            receive(first, "hello", session="s1")
            send(watcher, type="watch", session="s1")
            receive(watcher, "hello", session="s1")
        assert receive(watcher, "ended")["reason"] == "its client has left"


@pytest.mark.parametrize("change", [{"sample_rate": 48000}, {"format": "s16le"}, {"channels": 2}, {"resume": "s9"}])
def test_only_the_same_audio_goes_on(serving: Callable[..., ServerThread], change: dict[str, object]) -> None:
    server = serving(resume_s=1000.0)
    with client(server.port) as watcher:
        with client(server.port) as first:
            send(first, **AUDIO)
            receive(first, "hello", session="s1")
            broken(first)
        with client(server.port) as again:
            for _ in range(1000):
                send(again, **{**AUDIO, "resume": "s1", **change})
                error = receive(again, "error")
                if error["code"] == "invalid" or change.get("resume"):
                    break
            assert error["code"] == ("unknown_session" if "resume" in change else "invalid")
        send(watcher, type="list")
        assert receive(watcher, "list")["sessions"] == ["s1"]


def frames_of(sock: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Opcode and content of a server's frames, by hand; what comes before them is passed over."""
    stream = sock.makefile("rb")
    while stream.readline() != b"\r\n":
        pass
    while len(head := stream.read(2)) == 2:
        length = head[1] & 0x7F
        yield head[0] & 0x0F, stream.read(struct.unpack(">H", stream.read(2))[0] if length == 126 else length)


@pytest.mark.parametrize("answers", [True, False])
def test_a_slow_client_is_not_given_more_than_it_reads(answers: bool) -> None:
    """Its system would take megabytes: positions of half an hour ago, and our pings behind them, until it is cut off.

    One that answers no ping gets the newest position, too.
    """
    many, unread = 4000, 8 << 10
    with WebSocketSink(0, ControlQueue(), limits=Limits(unread_bytes=unread)) as sink:
        sink.begin(SESSION)
        with contextlib.closing(dead_socket(sink.port)) as slow, client(sink.port) as quick:
            receive(quick, "hello")
            for n in range(many):
                sink.send(position(n))
                if n % 50 == 0:
                    receive(quick, "position", seq=n)
            sizes = {}
            for opcode, content in frames_of(slow):
                if opcode == PING and answers:
                    mask = b"\0\0\0\0"
                    slow.sendall(bytes([0x80 | PONG, 0x80 | len(content)]) + mask + content)
                elif opcode == TEXT and (message := json.loads(content))["type"] == "position":
                    sizes[message["seq"]] = len(content)
                    if message["seq"] == many - 1:
                        break
    assert sum(sizes.values()) < 3 * (unread + MARK_EVERY_BYTES), "what was unread when it fell behind, and the newest"
