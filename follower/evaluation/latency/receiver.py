"""A receiver in a process of its own: when did each position arrive, parsed, by OSC and by WebSocket?

`python -m follower.evaluation.latency.receiver WS_PORT` prints `{"osc_port": N}`, listens until its standard input
ends, then prints `{"osc": [[seq, monotonic seconds], ...], "websocket": ...}`. The monotonic clock is the same in all
processes of a machine.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from typing import Any

POLL_S = 0.2

Arrivals = list[tuple[int, float]]


def receive_osc(udp: socket.socket, arrivals: Arrivals, ended: threading.Event) -> None:
    """Note the arrival of every OSC position until the end."""
    from pythonosc.osc_message import OscMessage

    udp.settimeout(POLL_S)
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            message = OscMessage(udp.recv(4096))
            if message.address == "/follower/position":
                arrivals.append((int(message.params[0]), time.monotonic()))


def receive_websocket(connection: Any, arrivals: Arrivals, ended: threading.Event) -> None:
    """Note the arrival of every WebSocket position until the end."""
    from websockets.exceptions import ConnectionClosed

    while not ended.is_set():
        try:
            message = json.loads(connection.recv(timeout=POLL_S))
        except TimeoutError:
            continue
        except ConnectionClosed:
            return
        if message["type"] == "position":
            arrivals.append((int(message["seq"]), time.monotonic()))


def main() -> int:
    """Listen until standard input ends."""
    from websockets.sync.client import connect

    ended = threading.Event()
    osc: Arrivals = []
    websocket: Arrivals = []
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        connect(f"ws://127.0.0.1:{int(sys.argv[1])}/ws", compression=None, proxy=None) as connection,
    ):
        udp.bind(("127.0.0.1", 0))
        threads = [
            threading.Thread(target=receive_osc, args=(udp, osc, ended)),
            threading.Thread(target=receive_websocket, args=(connection, websocket, ended)),
        ]
        for thread in threads:
            thread.start()
        sys.stdout.write(json.dumps({"osc_port": udp.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        ended.set()
        for thread in threads:
            thread.join()
    sys.stdout.write(json.dumps({"osc": osc, "websocket": websocket}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
