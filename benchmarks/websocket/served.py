"""A server in a process of its own, as `follower serve` starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Served(NamedTuple):
    """A server whose engines are ready.

    Attributes:
        port: of its page and its WebSocket, on the loopback interface.
        pids: the server's process, then those of its engines that it named.
    """

    port: int
    pids: tuple[int, ...]


@contextmanager
def serving(caches: Path, *options: str) -> Iterator[Served]:
    """Serve a folder of caches until the block ends."""
    words = ["serve", "--caches", str(caches), "--ws", "127.0.0.1:0", "--log-level", "error", *options]
    server = subprocess.Popen([sys.executable, "-m", "follower", *words], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        pids, port = [server.pid], 0
        for line in server.stderr:
            if found := re.search(r"processes \(([\d, ]+)\)", line):
                pids += [int(p) for p in found[1].split(", ")]
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                port = int(found[1])
            if "engines are ready" in line:
                break
        yield Served(port, tuple(pids))
    finally:
        server.terminate()
        server.wait()
        server.stderr.close()
