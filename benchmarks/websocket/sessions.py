"""How many pianists one server follows in time, and how many listeners one session has.

    python -m benchmarks.websocket.sessions [--cache CACHE] [--sessions N ...] [--listeners N ...] [--json F] [--record]

A server in processes of its own, as `follower serve` starts it. Every pianist plays in real time, a hop in each frame
(512 samples at 22050 Hz), and reads the positions; they come one after another. Latency is the server's own figure:
from when the newest sample was played, as far as the server can know, to the position's departure. The clients take
processor time of the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.results import add_option, print_rows, record
from benchmarks.websocket.served import serving
from follower.piece.writing import write_piece
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound

FRAME: Final = 512
PIECE_S: Final = 720.0
SETTLE_S: Final = 4.0
"""Between the last session's beginning and the first position that counts."""
MEASURE_S: Final = 10.0


@dataclass
class Heard:
    """What the clients of one step received, from when it counts.

    Attributes:
        counting: whether it does.
        latencies_ms: of the positions.
        lost_samples: in gaps.
        positions: how many.
    """

    counting: bool = False
    latencies_ms: list[float] = field(default_factory=list)
    lost_samples: int = 0
    positions: int = 0

    def take(self, text: str | bytes) -> None:
        """Count a message."""
        message = json.loads(text)
        if not self.counting:
            return
        if message["type"] == "position":
            self.positions += 1
            self.latencies_ms.append(message["latency_ms"])
        elif message["type"] == "gap":
            self.lost_samples += message["lost_samples"]


async def pianist(url: str, sound: bytes, heard: Heard, ended: asyncio.Event, opened: asyncio.Queue[str]) -> None:
    """Play until it is over; say on the queue whether the session was opened."""
    async with connect(url, compression=None, max_queue=None) as client:
        await client.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}))
        while True:
            message = json.loads(await client.recv())
            if message["type"] == "error":
                await opened.put(message["message"])
                return
            if message.get("session"):
                break
        reader = asyncio.create_task(listen(client, heard))
        begun_s, sent = time.monotonic(), 0
        await opened.put("")
        size = 4 * FRAME
        while not ended.is_set():
            await asyncio.sleep(max(begun_s + sent * FRAME / SOUND_RATE_HZ - time.monotonic(), 0.0))
            at = sent * size % (len(sound) - size)
            await client.send(sound[at : at + size])
            sent += 1
        reader.cancel()


async def listen(client: ClientConnection, heard: Heard) -> None:
    async for text in client:
        heard.take(text)


async def step(url: str, sound: bytes, sessions: int, listeners: int, busy: Any) -> dict[str, Any]:
    """So many sessions, and so many more listeners of the first one."""
    heard, watched, ended = Heard(), Heard(), asyncio.Event()
    opened: asyncio.Queue[str] = asyncio.Queue()
    tasks: list[asyncio.Task[None]] = []
    refused = 0
    for n in range(sessions):
        tasks.append(asyncio.create_task(pianist(url, sound[n * 4 * FRAME :], heard, ended, opened)))
        refused += bool(await opened.get())
        await asyncio.sleep(0.3)
    clients = [await connect(url, compression=None, max_queue=None) for _ in range(listeners)]
    if clients:
        await clients[0].send('{"type":"list"}')
        while (message := json.loads(await clients[0].recv()))["type"] != "list":
            pass
        for client in clients:
            await client.send(json.dumps({"type": "watch", "session": message["sessions"][-1]}))
            tasks.append(asyncio.create_task(listen(client, watched)))
    await asyncio.sleep(SETTLE_S)
    heard.counting = watched.counting = True
    await asyncio.sleep(MEASURE_S)
    heard.counting = watched.counting = False
    cores = await asyncio.to_thread(busy)
    ended.set()
    for task in tasks[sessions:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for client in clients:
        await client.close()
    await asyncio.sleep(6.0)  # what the server measures is that of the last 5 s
    p50, p99 = np.percentile(heard.latencies_ms or [np.nan], [50, 99])
    row = {
        "asked": sessions,
        "let_in": sessions - refused,
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "lost_audio_pct": round(100 * heard.lost_samples / SOUND_RATE_HZ / MEASURE_S / max(sessions - refused, 1), 2),
        "server_cores": round(cores, 2),
    }
    if listeners:
        row |= {
            "listeners": listeners,
            "received_pct": round(
                100 * watched.positions / max(heard.positions, 1) / listeners * (sessions - refused), 1
            ),
        }
    return row


def cpu_s(pids: Sequence[int]) -> float:
    """Processor seconds of these processes so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def measure(cache: Path, sessions: list[int], listeners: list[int]) -> dict[str, list[dict[str, Any]]]:
    sound = make_sound(120.0).astype("<f4").tobytes()
    curve: list[dict[str, Any]] = []
    fan: list[dict[str, Any]] = []
    with serving(cache.parent) as (port, pids):
        url = f"ws://127.0.0.1:{port}/ws"
        for steps, rows, n_listeners in ((sessions, curve, 0), ([1] * len(listeners), fan, 1)):
            for at, n in enumerate(steps):
                began = time.monotonic(), cpu_s(pids)

                def busy(began: tuple[float, float] = began) -> float:
                    return (cpu_s(pids) - began[1]) / (time.monotonic() - began[0])

                rows.append(await step(url, sound, n, listeners[at] if n_listeners else 0, busy))
                print(rows[-1], file=sys.stderr, flush=True)
    return {"sessions": curve, "listeners": fan}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cache", type=Path, help="folder made by offline-prep, alone in its folder (default: 12 minutes)"
    )
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 4, 8, 16, 24, 32, 48, 64], metavar="N")
    parser.add_argument("--listeners", type=int, nargs="*", default=[10, 100, 500], metavar="N")
    parser.add_argument("--json", type=Path, metavar="F")
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sessions-") as scratch:
        cache = args.cache
        if cache is None:
            cache = Path(scratch) / "caches" / "piece"
            write_piece(replace(make_piece(PIECE_S), path=cache))
        tables = asyncio.run(measure(cache, args.sessions, args.listeners))
    for rows in tables.values():
        print_rows(rows)
    if args.json is not None:
        args.json.write_text(json.dumps(tables, indent=1) + "\n")
    if args.record:
        record("sessions", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
