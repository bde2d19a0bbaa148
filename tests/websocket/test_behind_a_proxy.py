"""Two servers behind a real HAProxy: rooms stay together, and one server's end is no pianist's end."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from follower.testing import SOUND_RATE_HZ, make_sound
from tests.paths import REPOSITORY
from tests.processes import WAIT_S, program, set_stage, until

PIECE_S = 24.0
BLOCK = 1024
BACK_WITHIN_S = 3.0
"""What a pianist may lose when the server is gone: detection, another connection, a session, a position."""
NEAR_S = 0.5
ROOMS = tuple(f"room{n}" for n in range(6))


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def proxy(folder: Path, servers: dict[str, int]) -> Iterator[int]:
    """HAProxy with the file of examples/deploy, at ports of ours."""
    port = free_port()
    text = (REPOSITORY / "examples" / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
    text = text.replace("bind 127.0.0.1:8770", f"bind 127.0.0.1:{port}")
    for name, at in servers.items():
        text, changed = re.subn(rf"server {name} 127\.0\.0\.1:\d+", f"server {name} 127.0.0.1:{at}", text)
        assert changed == 1
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, "HAProxy does not take the file; haproxy -c -f says why"
        yield port
    finally:
        process.kill()
        process.wait()


def port_of(process: subprocess.Popen[str]) -> int:
    """Where a server listens, when it does."""
    assert process.stderr is not None
    found = (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in process.stderr)
    return next(int(match[1]) for match in found if match)


class Pianist:
    """Plays the piece once, in real time, and goes on where it was when its connection breaks.

    Attributes:
        sessions: those it had.
        positions: when (monotonic seconds), where (s), where the piano was then (s).
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._sound = make_sound(PIECE_S).astype("<f4")
        self._ended = threading.Event()
        self._begun_s = 0.0
        self.sessions: list[str] = []
        self.positions: list[tuple[float, float, float]] = []
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Pianist:
        self._begun_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def played_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _work(self) -> None:
        while not self._ended.is_set():
            with (
                contextlib.suppress(WebSocketException, OSError, TimeoutError),
                connect(self._url, compression=None, proxy=None, open_timeout=1, close_timeout=0.2) as connection,
            ):
                self._play(connection)
            self._ended.wait(0.1)

    def _ask(self, connection: ClientConnection, **more: object) -> dict[str, Any]:
        connection.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le", **more}))
        while True:
            message: dict[str, Any] = json.loads(connection.recv(timeout=WAIT_S))
            if message["type"] == "error" or message.get("session"):
                return message

    def _play(self, connection: ClientConnection) -> None:
        answer: dict[str, Any] = {"type": "error"}
        if self.sessions:
            answer = self._ask(connection, resume=self.sessions[-1])
        if answer["type"] == "error":  # a server that does not know us: begin where we are
            answer = self._ask(connection, **({"start": self.positions[-1][1]} if self.positions else {}))
        assert answer.get("session"), answer
        self.sessions.append(answer["session"])
        at = int(self.played_s() * SOUND_RATE_HZ)
        while not self._ended.is_set():
            due = int(self.played_s() * SOUND_RATE_HZ)
            while at + BLOCK <= due:
                connection.send(self._sound[at : at + BLOCK].tobytes())
                at += BLOCK
            with contextlib.suppress(TimeoutError):
                message = json.loads(connection.recv(timeout=0.02))
                if message["type"] == "position" and message["orchestra_time"] is not None:
                    self.positions.append((time.monotonic(), message["orchestra_time"], self.played_s()))


def test_a_killed_server_costs_its_pianists_three_seconds_and_no_position(tmp_path: Path) -> None:
    caches = set_stage(tmp_path, PIECE_S).cache.parent
    with contextlib.ExitStack() as stack:
        words = ["serve", "--caches", str(caches), "--workers", "0", "--ws", "127.0.0.1:0", "--log-level", "error"]
        servers = {name: stack.enter_context(program([*words, "--name", name])) for name in ("a", "b")}
        ports = {name: port_of(process) for name, process in servers.items()}
        url = f"ws://127.0.0.1:{stack.enter_context(proxy(tmp_path, ports))}/ws"

        def server_of(room: str) -> str:
            """By the name of a session that is opened and closed."""
            with connect(f"{url}?room={room}", compression=None, proxy=None) as connection:
                connection.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}))
                while True:
                    message = json.loads(connection.recv(timeout=WAIT_S))
                    if message.get("session"):
                        return str(message["session"]).partition("-")[0]

        routed = {room: server_of(room) for room in ROOMS}
        assert set(routed.values()) == {"a", "b"}, "both have rooms"
        assert {room: server_of(room) for room in ROOMS} == routed, "a room stays where it is"

        killed = next(room for room in ROOMS if routed[room] == "a")
        spared = next(room for room in ROOMS if routed[room] == "b")
        hit = stack.enter_context(Pianist(f"{url}?room={killed}"))
        other = stack.enter_context(Pianist(f"{url}?room={spared}"))
        until(lambda: hit.positions and hit.positions[-1][1] > 3.0 and other.positions)
        servers["a"].send_signal(signal.SIGKILL)
        gone_s = time.monotonic()
        until(lambda: len(hit.sessions) > 1 and hit.positions[-1][0] > gone_s + 1.0)
        back = next(position for position in hit.positions if position[0] > gone_s + 0.5)
        assert back[0] - gone_s < BACK_WITHIN_S
        until(lambda: hit.positions[-1][0] > back[0] + 2.0)
        last = hit.positions[-1]
        assert abs(last[1] - last[2]) < NEAR_S, "it is where the pianist is"
        assert [name.partition("-")[0] for name in hit.sessions] == ["a", "b"]
        assert len(other.sessions) == 1, "the others notice nothing"
        assert server_of(spared) == "b"
