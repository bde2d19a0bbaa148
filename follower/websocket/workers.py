"""Engines in processes of their own, as the server uses them: as many cores follow as there are processes."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from follower.errors import FollowerError, InputError
from follower.events import AudioBlock, Event
from follower.piece.piece import Piece
from follower.protocol.codec import encode
from follower.protocol.commands import Command
from follower.websocket import worker_link as link
from follower.websocket.load import LoadMeter

PIECE_SAMPLES: Final = 2048
"""Longer blocks are sent in pieces: who sends much at once must not make the others of the process wait."""


LOST: Final = "the process of its engine has ended; open a new session"


class EngineLostError(FollowerError):
    """The process of an engine has ended."""


class _Process:
    """One process of engines.

    Attributes:
        sessions: how many it has.
        ready: set when it takes orders, or has ended instead.
        took_up_work: whether it takes orders.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "follower.websocket.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._control = ours
        self._lock = threading.Lock()
        self.sessions = 0
        self.ready = threading.Event()
        self.took_up_work = False
        threading.Thread(target=self._await, name="worker starts", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def open(self, order: dict[str, object]) -> socket.socket:
        """Ask for an engine; returns the socket on which it will answer.

        Raises:
            OSError: the process has ended.
        """
        ours, theirs = socket.socketpair()
        content = json.dumps(order).encode()
        with theirs, self._lock:
            socket.send_fds(self._control, [len(content).to_bytes(4, "little")], [theirs.fileno()])
            self._control.sendall(content)
        return ours

    def _await(self) -> None:
        with contextlib.suppress(OSError):
            self.took_up_work = bool(self._control.recv(1))
        self.ready.set()

    def lost(self) -> EngineLostError:
        """Return the error of an engine that no longer answers, once the process counts as ended.

        Its sockets close a moment earlier: it would still be called alive when its sessions have been told otherwise.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        return EngineLostError(LOST)

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)  # also wakes who waits for it to be ready
        self._control.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class RemoteEngine:
    """An engine in another process, used as one here: every call waits for the answer, and holds up nobody else.

    Args:
        process: in which it is.
        session: socket on which it answers.
        number: of the session, for the meter.
        meter: is told what each answer took.
        piece: what is followed.
        sample_rate_hz: of the stream.
        method: name of the frontier.
        start_s: where the pianist will begin; None when unknown.
    """

    def __init__(
        self,
        process: _Process,
        session: socket.socket,
        number: int,
        meter: LoadMeter,
        piece: Piece,
        sample_rate_hz: int,
        method: str,
        start_s: float | None,
    ) -> None:
        self._process = process
        self._session = session
        self._number = number
        self._meter = meter
        self.piece = piece
        self.sample_rate_hz = sample_rate_hz
        self.method = method
        self.start_s = start_s

    def process(self, block: AudioBlock) -> list[Event]:
        """Take the next block, see `follower.engine.Engine.process`.

        Raises:
            InputError: the engine refuses it.
            EngineLostError: the engine's process has ended.
        """
        events: list[Event] = []
        for at in range(0, max(len(block.samples), 1), PIECE_SAMPLES):
            piece = AudioBlock(block.first_sample + at, block.samples[at : at + PIECE_SAMPLES])
            events += self._ask(link.BLOCK, link.encode_block(piece))
        return events

    def command(self, command: Command) -> list[Event]:
        """Carry out a command, see `follower.engine.Engine.command`.

        Raises:
            InputError: the engine refuses it.
            EngineLostError: the engine's process has ended.
        """
        return self._ask(link.COMMAND, encode(command).encode())

    def finish(self) -> list[Event]:
        """End of the stream: return the last events."""
        return self._ask(link.FINISH)

    def _ask(self, kind: bytes, payload: bytes = b"") -> list[Event]:
        begun_s = time.monotonic()
        with _lost_on_error(self._process):
            link.send(self._session, kind, payload)
            answer = link.receive(self._session)
        if answer is None:
            raise self._process.lost()
        kind, payload = answer
        if kind == link.REFUSED:
            raise InputError(payload.decode())
        if kind == link.FAILED:
            raise RuntimeError(payload.decode())
        events, compute_s = link.decode_events(payload)
        self._meter.answered(self._number, compute_s, time.monotonic() - begun_s)
        return events


class Workers:
    """The processes of a server's engines; a context that ends them.

    A process that has ended takes its sessions with it, and is replaced when the next one is opened.

    Args:
        n: how many processes.
        meter: is told what the engines' answers took.
    """

    def __init__(self, n: int, meter: LoadMeter) -> None:
        self._n = n
        self.meter = meter
        self._processes: list[_Process] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        """Start the processes; they get ready by themselves."""
        self._processes = [_Process() for _ in range(self._n)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End them."""
        for process in self._processes:
            process.close()
        self._processes = []

    def wait_ready(self) -> bool:
        """Wait until all take sessions; False when one has ended instead."""
        for process in self._processes:
            process.ready.wait()
        return all(process.took_up_work for process in self._processes)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes."""
        return [process.pid for process in self._processes]

    @property
    def alive(self) -> int:
        """How many processes run."""
        return sum(process.alive for process in self._processes)

    @contextlib.contextmanager
    def engine(
        self, piece: Piece, sample_rate_hz: int, method: str, start_s: float | None = None
    ) -> Iterator[RemoteEngine]:
        """Make an engine in the process that has fewest, and forget it when the block ends.

        Raises:
            InputError: the engine cannot be made.
            EngineLostError: the process ended while it was made.
        """
        with self._lock:
            for n, dead in enumerate(self._processes):
                if not dead.alive:
                    dead.close()
                    self._processes[n] = _Process()
            process = min(self._processes, key=lambda p: p.sessions)
            process.sessions += 1
        order: dict[str, object] = {
            "piece": str(piece.path.resolve()),
            "sample_rate_hz": sample_rate_hz,
            "method": method,
            "start_s": start_s,
        }
        try:
            with _lost_on_error(process):
                session = process.open(order)
            with session:
                with _lost_on_error(process):
                    answer = link.receive(session)
                if answer is None:
                    raise process.lost()
                if answer[0] == link.REFUSED:
                    raise InputError(answer[1].decode())
                number = next(self._numbers)
                yield RemoteEngine(process, session, number, self.meter, piece, sample_rate_hz, method, start_s)
        finally:
            with self._lock:
                process.sessions -= 1


@contextlib.contextmanager
def _lost_on_error(process: _Process) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise process.lost() from e


def supported() -> bool:
    """Whether this system can hand sockets to other processes."""
    return hasattr(socket, "send_fds")
