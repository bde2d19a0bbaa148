"""Follow for hours in a server of its own process, with a healthy, a slow and a stalled listener."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from follower.testing import SOUND_RATE_HZ, make_sound
from tests.processes import WAIT_S, program, set_stage

BLOCK_SAMPLES: Final = 512
SETTLED: Final = 0.2
"""Memory is compared with that after this share of the time: by then everything was used once."""
MAX_GROWTH_BYTES: Final = 5 << 20
MIN_POSITIONS_PER_S: Final = 40.0
"""A hop is 23 ms, so there are 43 positions a second, less those before the listener came and at the end."""
SLOW_S: Final = 0.5
"""A slow listener takes one message in so many seconds."""


@dataclass(frozen=True)
class SoakResult:
    """What a soak saw.

    Attributes:
        audio_s: audio sent.
        positions: positions received by the healthy listener.
        holes: positions missing in their numbering.
        gaps: how often audio was lost, as the healthy listener was told.
        slow_positions: positions received by the slow listener, which takes one message in half a second.
        stalls: how often the stalled listener was dropped, as the healthy one was told.
        latency_p99_ms: 99th percentile of the positions' latency.
        growth_bytes: growth of the memory of the server and its engines' processes since it had settled.
        descriptors: growth of the server's number of open descriptors since then.
        told: notices and errors, without repetitions.
    """

    audio_s: float
    positions: int
    holes: int
    gaps: int
    slow_positions: int
    stalls: int
    latency_p99_ms: float
    growth_bytes: int
    descriptors: int
    told: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Nothing is missing, nothing grows."""
        return (
            self.positions > MIN_POSITIONS_PER_S * self.audio_s
            and self.holes == self.gaps == 0
            and self.growth_bytes < MAX_GROWTH_BYTES
            and self.descriptors <= 0
        )


class Listener:
    """Counts what a watching client receives.

    Args:
        url: of the server.
        ended: set when the soak is over.
        pause_s: waited after every message.
    """

    def __init__(self, url: str, ended: threading.Event, pause_s: float = 0.0) -> None:
        self._url, self._ended, self._pause_s = url, ended, pause_s
        self.positions = self.holes = self.gaps = 0
        self.latencies_ms: list[float] = []
        self.drops = 0
        self.told: set[str] = set()
        self.last_seq: int | None = None

    def run(self) -> None:
        """Watch session s1 until the soak is over."""
        # Whoever reads slowly gets the answers to its pings late.
        with (
            contextlib.suppress(ConnectionClosed),
            connect(self._url, compression=None, proxy=None, ping_interval=None, close_timeout=0.5) as connection,
        ):
            connection.send('{"type":"watch","session":"s1"}')
            while not self._ended.wait(self._pause_s):
                with contextlib.suppress(TimeoutError):
                    self._take(json.loads(connection.recv(timeout=0.2)))

    def _take(self, message: dict[str, Any]) -> None:
        if "was dropped: it took nothing" in message.get("message", ""):
            self.drops += 1
        elif message["type"] in ("notice", "error"):
            self.told.add(message["message"])
        self.gaps += message["type"] == "gap"
        if message["type"] != "position":
            return
        if self.last_seq is not None:
            # Who begins to watch is sent the newest position, which may come once more in its turn.
            self.holes += max(message["seq"] - self.last_seq - 1, 0)
        self.last_seq = message["seq"]
        self.positions += 1
        self.latencies_ms.append(message["latency_ms"])


class Stalled:
    """Connects, takes nothing, and connects again whenever the healthy listener hears that it was dropped."""

    def __init__(self, port: int, ended: threading.Event, healthy: Listener) -> None:
        self._port, self._ended, self._healthy = port, ended, healthy

    def run(self) -> None:
        """Stall until the soak is over."""
        while not self._ended.is_set():
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.connect(("127.0.0.1", self._port))
                sock.sendall(
                    f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Version: 13\r\n\r\n".encode()
                )
                text = b'{"type":"watch","session":"s1"}'
                sock.sendall(bytes([0x81, 0x80 | len(text)]) + b"\0" * 4 + text)
                drops = self._healthy.drops
                while self._healthy.drops == drops and not self._ended.wait(0.2):
                    pass


class Pianist:
    """Plays the piece again and again into an audio session, in real time."""

    def __init__(self, url: str, ended: threading.Event, piece_s: float) -> None:
        self._url, self._ended, self._piece_s = url, ended, piece_s
        self.sent_samples = 0
        self.opened = threading.Event()

    def run(self) -> None:
        """Play until the soak is over."""
        sound = make_sound(self._piece_s).astype("<f4")
        with connect(self._url, compression=None, proxy=None) as connection:
            connection.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}))
            while json.loads(connection.recv(timeout=WAIT_S)).get("session") != "s1":
                pass
            self.opened.set()
            drain = threading.Thread(target=self._drain, args=(connection,))
            drain.start()
            begun_s = time.monotonic()
            while not self._ended.wait(max(begun_s + self.sent_samples / SOUND_RATE_HZ - time.monotonic(), 0.0)):
                at = self.sent_samples % len(sound)
                block = sound[at : at + BLOCK_SAMPLES]
                connection.send(block.tobytes())
                self.sent_samples += len(block)
            drain.join()

    def _drain(self, connection: Any) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                connection.recv(timeout=0.2)


def family(pid: int) -> list[int]:
    """A process and those it has started, which follow."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in family(int(child)))]


def memory_bytes(pid: int) -> int:
    """Memory of a process and its children that is theirs alone."""
    found = (Path(f"/proc/{p}/smaps_rollup").read_text() for p in family(pid))
    return sum(1024 * int(size) for text in found for size in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))


def descriptors(pid: int) -> int:
    """Open descriptors of a process and its children."""
    return sum(len(list(Path(f"/proc/{p}/fd").iterdir())) for p in family(pid))


def soak(
    minutes: float, folder: Path, report: Callable[[str], None] = lambda line: None, piece_s: float = 60.0
) -> SoakResult:
    """Run the server and its clients for so long.

    Args:
        minutes: of audio in real time.
        folder: for the piece.
        report: called once a minute with a line.
        piece_s: length of the piece, which is played again and again.

    Raises:
        AssertionError: a client could not do what it does.
    """
    stage = set_stage(folder, piece_s)
    ended = threading.Event()
    with program(["serve", "--caches", str(stage.cache.parent), "--ws", "127.0.0.1:0"]) as process:
        assert process.stderr is not None
        port = next(int(found[1]) for line in process.stderr if (found := re.search(r"http://127.0.0.1:(\d+)/", line)))
        url = f"ws://127.0.0.1:{port}/ws"
        pianist, healthy, slow = Pianist(url, ended, piece_s), Listener(url, ended), Listener(url, ended, SLOW_S)
        stalled = Stalled(port, ended, healthy)
        clients: dict[str, Any] = {"pianist": pianist, "healthy": healthy, "slow": slow, "stalled": stalled}
        threads = [threading.Thread(target=who.run, name=name) for name, who in clients.items()]
        try:
            threads[0].start()
            assert pianist.opened.wait(WAIT_S)
            for thread in threads[1:]:
                thread.start()
            begun_s, settled = time.monotonic(), (0, 0)
            while (passed_s := time.monotonic() - begun_s) < 60 * minutes:
                if settled == (0, 0) and passed_s > SETTLED * 60 * minutes:
                    settled = memory_bytes(process.pid), descriptors(process.pid)
                step_s = min(60.0, (SETTLED if settled == (0, 0) else 1.0) * 60 * minutes - passed_s + 0.01)
                assert not ended.wait(max(step_s, 0.01)) and process.poll() is None, "the server ended"
                gone = [thread.name for thread in threads if not thread.is_alive()]
                assert not gone, f"these clients ended: {gone}"
                report(f"{passed_s / 60:.1f} min: {healthy.positions} positions, {memory_bytes(process.pid) >> 20} MB")
            growth = memory_bytes(process.pid) - settled[0], descriptors(process.pid) - settled[1]
        finally:
            ended.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join(WAIT_S)
    return SoakResult(
        pianist.sent_samples / SOUND_RATE_HZ,
        healthy.positions,
        healthy.holes,
        healthy.gaps,
        slow.positions,
        healthy.drops,
        float(np.percentile(healthy.latencies_ms, 99)) if healthy.latencies_ms else float("nan"),
        *growth,
        tuple(sorted(healthy.told)),
    )
