"""Every registered sink keeps the contract of `follower.session.sink.Sink`, and none can delay the engine."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_message import OscMessage
from websockets.sync.client import connect

from follower.events import Event, Gap, Jump, Notice, Position, State, StateChange
from follower.piece.mix_map import MixMap
from follower.protocol.address import Address
from follower.session import plugins
from follower.session.background_sink import BackgroundSink
from follower.session.controls import ControlQueue
from follower.session.runner import run
from follower.session.sink import Sink
from follower.testing import BLOCK, RATE_HZ, SESSION, FakeEngine, ScriptedSource, audio, position

WAIT_S = 30.0


class Gate:
    """A transport that hangs: `hang` waits until the test opens the gate."""

    def __init__(self) -> None:
        self.hanging = threading.Event()
        self.opened = threading.Event()
        self.closed = False
        self.gave_up = False

    def hang(self) -> None:
        if self.closed and not self.opened.is_set() and not self.gave_up:
            self.hanging.set()
            self.gave_up |= not self.opened.wait(WAIT_S)


class Behind:
    """An object behind a gate: calling any of its methods hangs while the gate is closed."""

    def __init__(self, thing: Any, gate: Gate) -> None:
        self._thing = thing
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        self._gate.hang()
        return getattr(self._thing, name)


class Bench:
    """One sink with its listener: how to make it, how to make its transport hang, what arrived in the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gate = Gate()
        self.sink: Any = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[Sink]:
        with self.make() as self.sink:
            yield self.sink

    def make(self) -> Any:
        raise NotImplementedError

    def block(self) -> None:
        """Make the transport hang from now on."""

    def last_seq(self) -> int:
        """The last position that arrived; called while the sink is open unless `after_close`."""
        raise NotImplementedError

    after_close = True


class CsvBench(Bench):
    def make(self) -> Any:
        return plugins.load(plugins.SINKS["csv"])(self.folder / "p.csv")

    def block(self) -> None:
        self.sink._file = Behind(self.sink._file, self.gate)

    def last_seq(self) -> int:
        last = (self.folder / "p.csv").read_text().splitlines()[-1]
        return round(float(last.split(",")[0]) * RATE_HZ / BLOCK) - 1


class JsonlBench(Bench):
    def make(self) -> Any:
        return plugins.load(plugins.SINKS["jsonl"])(self.folder / "p.jsonl")

    def block(self) -> None:
        self.sink._file = Behind(self.sink._file, self.gate)

    def last_seq(self) -> int:
        messages = map(json.loads, (self.folder / "p.jsonl").read_text().splitlines())
        return int([m for m in messages if m["type"] == "position"][-1]["seq"])


class AlignmentsBench(Bench):
    """Writes only when it closes: there is no transport to hang during the session."""

    def make(self) -> Any:
        mix_map = MixMap(np.array([0.0, 1e4]), np.array([0.0, 1e4]), np.array([1.0, 1.0]))
        return plugins.load(plugins.SINKS["alignments"])(self.folder, mix_map, 0.1)

    def last_seq(self) -> int:
        return round(float(np.load(self.folder / "hyp.npy", allow_pickle=False)[0, -1]) * RATE_HZ / BLOCK) - 1


class OscBench(Bench):
    after_close = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[Sink]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as self.udp:
            self.udp.bind(("127.0.0.1", 0))
            self.udp.settimeout(WAIT_S)
            with super().opened() as sink:
                yield sink

    def make(self) -> Any:
        return plugins.load(plugins.SINKS["osc"])([Address(*self.udp.getsockname())])

    def block(self) -> None:
        self.sink._sockets = [(Behind(udp, self.gate), where) for udp, where in self.sink._sockets]

    def last_seq(self) -> int:
        """Up to the notice that the test sends last."""
        seq = -1
        while (message := OscMessage(self.udp.recv(4096))).address != "/follower/notice":
            if message.address == "/follower/position":
                seq = int(message.params[0])
        return seq


class WebSocketBench(Bench):
    after_close = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[Sink]:
        with self.make() as self.sink, contextlib.ExitStack() as stack:
            self.client = stack.enter_context(
                connect(f"ws://127.0.0.1:{self.sink.port}/ws", compression=None, proxy=None)
            )
            self.client.recv(timeout=WAIT_S)
            yield self.sink

    def make(self) -> Any:
        return plugins.load(plugins.SINKS["websocket"])(0, ControlQueue())

    def block(self) -> None:
        # The server's whole loop hangs, worse than any client could make it.
        self.sink._server._loop.call_soon_threadsafe(self.gate.hang)

    def last_seq(self) -> int:
        seq = -1
        while (message := json.loads(self.client.recv(timeout=WAIT_S)))["type"] != "notice":
            if message["type"] == "position":
                seq = message["seq"]
        return seq


BENCHES: dict[str, Callable[[Path], Bench]] = {
    "alignments": AlignmentsBench,
    "csv": CsvBench,
    "jsonl": JsonlBench,
    "osc": OscBench,
    "websocket": WebSocketBench,
}


def test_every_registered_sink_is_tried() -> None:
    assert set(BENCHES) == set(plugins.SINKS), "a new sink needs a bench here"


@pytest.fixture(params=sorted(plugins.SINKS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return BENCHES[request.param](tmp_path)


EVENTS: tuple[Event, ...] = (
    position(0),
    Position(1, 2 * BLOCK, RATE_HZ, None, None, 1.0, 0.0, State.WAITING),
    StateChange(0, RATE_HZ, State.FOLLOWING, State.WAITING, "heard"),
    Jump(0, RATE_HZ, 1.0, 2.0),
    Gap(0, RATE_HZ, 64),
    position(2),
    Notice(0, RATE_HZ, "said"),
)


def test_every_event_is_taken_and_the_last_position_arrives(bench: Bench) -> None:
    with bench.opened() as sink:
        sink.begin(SESSION)
        for event in EVENTS:
            sink.send(event)
        if not bench.after_close:
            assert bench.last_seq() == 2
    if bench.after_close:
        assert bench.last_seq() == 2
    assert sink.dropped == 0


def test_a_session_without_events_and_one_started_twice(bench: Bench) -> None:
    with bench.opened():
        pass
    with bench.opened() as sink:
        sink.begin(SESSION)
        sink.send(position(0))
        sink.begin(SESSION)
        sink.send(position(0))
    assert sink.dropped == 0


SIMULATED_S = 10.0
BLOCKS = int(SIMULATED_S * RATE_HZ / BLOCK)
COMPUTE_S = 0.002


def test_a_sink_that_hangs_for_ten_seconds_delays_no_position_and_then_delivers_the_newest(bench: Bench) -> None:
    """Ten seconds of simulated time pass while the transport hangs.

    The gate is opened by the source, after those ten seconds: an engine that waited for the sink would never get there.
    """
    now_s = [0.0]
    emitted: list[Position] = []

    def note(event: Event) -> None:
        if isinstance(event, Position):
            emitted.append(event)

    def blocks(first: int, count: int) -> Iterator[object]:
        for n in range(first, first + count):
            captured_s = (n + 1) * BLOCK / RATE_HZ
            yield lambda s=captured_s: now_s.__setitem__(0, s + COMPUTE_S)
            yield audio(n * BLOCK, capture_time_s=captured_s)

    def close_gate() -> None:
        bench.gate.closed = True
        bench.block()

    def open_gate() -> None:
        if not isinstance(bench, AlignmentsBench):
            assert bench.gate.hanging.wait(WAIT_S), "the transport was to hang meanwhile"
        assert not bench.gate.gave_up, "the engine waited for the sink"
        assert len(emitted) == 10 + BLOCKS
        bench.gate.opened.set()

    script = [*blocks(0, 10), close_gate, *blocks(10, BLOCKS), open_gate, Notice(0, RATE_HZ, "the end of the test")]
    with bench.opened() as sink:
        run(ScriptedSource(script), FakeEngine(), [sink], on_event=note, clock=lambda: now_s[0])
        if not bench.after_close:
            assert bench.last_seq() == 9 + BLOCKS
    if bench.after_close:
        assert bench.last_seq() == 9 + BLOCKS
    assert [p.latency_ms for p in emitted] == pytest.approx([1e3 * COMPUTE_S] * (10 + BLOCKS), abs=1e-6)


class Stuck(BackgroundSink):
    """Hangs in its first delivery."""

    def __init__(self, gate: Gate, capacity: int) -> None:
        super().__init__(capacity)
        self.gate = gate
        self.delivered: list[Event] = []

    def open(self) -> None:
        self.gate.closed = True

    def deliver(self, items: list[Any]) -> None:
        self.gate.hang()
        self.delivered += items

    def close(self) -> None:
        pass


def test_a_full_queue_of_a_background_sink_drops_the_oldest_and_counts() -> None:
    gate = Gate()
    with Stuck(gate, capacity=10) as sink:
        sink.send(position(0))
        assert gate.hanging.wait(WAIT_S)
        for n in range(1, 101):
            sink.send(position(n))
        gate.opened.set()
    assert [e.seq for e in sink.delivered if isinstance(e, Position)] == [0, *range(91, 101)]
    assert sink.dropped == 90
