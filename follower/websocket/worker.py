"""A process of engines: `python -m follower.websocket.worker FD`, started by the server (`follower.websocket.workers`).

It reads on the descriptor which sessions to open; each comes with a socket of its own, on which the session's blocks
and commands arrive and its events go back. One thread does the engines' work, message by message in turn, so that no
session waits for more than one block of every other. The process ends when the server is gone.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from follower import kernels
from follower.engine import Engine
from follower.errors import FollowerError, InputError
from follower.inference.methods import DEFAULT_METHOD
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.protocol.codec import decode_request
from follower.websocket import worker_link as link

LENGTH_BYTES: Final = 4
SWITCH_INTERVAL_S: Final = 0.001
"""The thread that opens a session must not keep the engines waiting."""


class Worker:
    """The sessions of one process.

    Args:
        control: where the server says what to open.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._opened: deque[tuple[socket.socket, Engine]] = deque()
        self._bell, self._ring = socket.socketpair()
        self._pieces: dict[tuple[str, int], Piece] = {}
        self._loading = threading.Lock()

    def run(self) -> None:
        """Work until the server is gone."""
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take_order():
                        return
                elif key.fileobj is self._bell:
                    self._bell.recv(64)
                    while self._opened:
                        session, engine = self._opened.popleft()
                        self._selector.register(session, selectors.EVENT_READ, engine)
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._serve(key.fileobj, key.data)

    def _take_order(self) -> bool:
        """Begin to open a session; False when the server is gone."""
        head, descriptors, _, _ = socket.recv_fds(self._control, LENGTH_BYTES, 1)
        if len(head) < LENGTH_BYTES or not descriptors:
            return False
        order = b""
        while len(order) < int.from_bytes(head, "little"):
            part = self._control.recv(int.from_bytes(head, "little") - len(order))
            if not part:
                return False
            order += part
        session = socket.socket(fileno=descriptors[0])
        threading.Thread(target=self._open, args=(session, json.loads(order)), daemon=True).start()
        return True

    def _open(self, session: socket.socket, order: dict[str, Any]) -> None:
        """Make an engine, beside those that run, and hand it to the working thread."""
        try:
            piece = self._piece(Path(order["piece"]))
            engine = Engine(piece, order["sample_rate_hz"], order["method"], order["start_s"])
        except FollowerError as e:
            with suppress(OSError):
                link.send(session, link.REFUSED, str(e).encode())
            session.close()
            return
        gc.freeze()  # a collection that walks the libraries' objects takes tens of milliseconds
        with suppress(OSError):
            link.send(session, link.READY)
            self._opened.append((session, engine))
            self._ring.send(b"!")

    def _piece(self, path: Path) -> Piece:
        """Load a piece; sessions of the same one share it, and one that was prepared anew is another."""
        key = str(path), (path / "manifest.json").stat().st_mtime_ns if path.is_dir() else 0
        with self._loading:
            if key not in self._pieces:
                self._pieces.clear()  # those that are followed live on in their engines
                self._pieces[key] = load_piece(path)
            return self._pieces[key]

    def _serve(self, session: socket.socket, engine: Engine) -> None:
        """Carry out one message of a session; forget it when the server has closed its end."""
        try:
            message = link.receive(session)
            if message is not None:
                link.send(session, *_answer(engine, *message))
                return
        except OSError:
            pass
        self._selector.unregister(session)
        session.close()


def _answer(engine: Engine, kind: bytes, payload: bytes) -> tuple[bytes, bytes]:
    begun_s = time.thread_time()
    try:
        if kind == link.BLOCK:
            events = engine.process(link.decode_block(payload))
        elif kind == link.COMMAND:
            events = engine.command(decode_request(payload.decode()))  # type: ignore[arg-type]
        else:
            events = engine.finish()
    except InputError as e:
        return link.REFUSED, str(e).encode()
    except Exception as e:
        return link.FAILED, f"{type(e).__name__}: {e}".encode()
    return link.EVENTS, link.encode_events(events, time.thread_time() - begun_s)


def main() -> int:
    """Serve the process that started this one; it ends this one by going away, not by signals."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    kernels.warmup(kernels.FOLLOWING[DEFAULT_METHOD])
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    with suppress(OSError):
        control.send(b"!")
        Worker(control).run()
    os._exit(0)  # threads that still load a piece are no reason to stay


if __name__ == "__main__":
    main()
