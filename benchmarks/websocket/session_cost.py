"""What one more pianist costs a server: processor time and memory, not latency (`sessions` measures that).

    python -m benchmarks.websocket.session_cost [--sessions N ...] [--record]

`follower serve --workers 1` with a piece of 12 minutes; pianists play it in real time from different places, a hop in
each frame. Processor time and memory are those of the server and its engines' process together, by the system's count,
so other programs on the computer change them little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from benchmarks.results import add_option, print_rows, record
from benchmarks.websocket.served import serving
from follower.piece.writing import write_piece
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound

PIECE_S: Final = 720.0
FRAME: Final = 512
APART_S: Final = 30.0
SETTLE_S: Final = 8.0
MEASURE_S: Final = 20.0


def family(pid: int) -> list[int]:
    """A process and all it has started."""
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(found for child in children for found in family(int(child)))]
    return []


def cpu_s(pid: int) -> float:
    ticks = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def private_mb(pid: int) -> float:
    """Memory that is theirs alone; a piece's arrays are files that are shared."""
    kilobytes = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            kilobytes += sum(int(size) for size in re.findall(r"^Private_(?:Dirty|Hugetlb):\s+(\d+) kB", text, re.M))
    return kilobytes / 1e3


async def play(port: int, ended: asyncio.Event, sound: NDArray[np.float32], start_s: float) -> None:
    """One pianist, in real time."""
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as connection:
        asked = {"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le", "start": start_s}
        await connection.send(json.dumps(asked))
        while "session" not in (message := json.loads(await connection.recv())):
            if message["type"] == "error":
                raise SystemExit(f"error: {message['message']}")

        async def listen() -> None:
            async for _ in connection:
                pass

        listening = asyncio.create_task(listen())
        begun_s, sent = time.monotonic(), 0
        at = int(start_s * SOUND_RATE_HZ)
        while not ended.is_set():
            await asyncio.sleep(max(begun_s + sent / SOUND_RATE_HZ - time.monotonic(), 0.0))
            await connection.send(sound[at + sent : at + sent + FRAME].tobytes())
            sent += FRAME
        listening.cancel()


async def measure(folder: Path, sessions: int) -> tuple[float, float]:
    """Cores that a server uses, and its memory (MB), with so many pianists who came at once."""
    sound = make_sound(PIECE_S).astype("<f4")
    ended = asyncio.Event()
    with serving(folder, "--workers", "1") as server:
        playing = [asyncio.create_task(play(server.port, ended, sound, APART_S * (n + 1))) for n in range(sessions)]
        await asyncio.sleep(SETTLE_S)
        begin_s, begun = time.monotonic(), cpu_s(server.pids[0])
        await asyncio.sleep(MEASURE_S)
        cores, memory_mb = (cpu_s(server.pids[0]) - begun) / (time.monotonic() - begin_s), private_mb(server.pids[0])
        ended.set()
        await asyncio.gather(*playing)
        return cores, memory_mb


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 4], metavar="N")
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="session-cost-") as scratch:
        write_piece(replace(make_piece(PIECE_S), path=Path(scratch) / "piece"))
        rows: list[dict[str, Any]] = []
        for n in sorted(args.sessions):
            cores, memory_mb = asyncio.run(measure(Path(scratch), n))
            row: dict[str, Any] = {"sessions": n, "cores": round(cores, 3), "memory_mb": round(memory_mb)}
            if rows:
                more = n - rows[0]["sessions"]
                row["cores_for_each_more"] = round((cores - rows[0]["cores"]) / more, 3)
                row["mb_for_each_more"] = round((memory_mb - rows[0]["memory_mb"]) / more, 1)
            rows.append(row)
            print_rows(rows[-1:])
    if args.record:
        record("session_cost", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
