"""Engines in processes of their own: the same events, and what happens when one is killed, stopped or too busy."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from follower.engine import Engine
from follower.errors import InputError
from follower.events import AudioBlock
from follower.piece.piece import Piece
from follower.piece.reading import load_piece
from follower.piece.writing import write_piece
from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound
from follower.websocket.load import FIRST_COST, MAX_BUSY, WINDOW_S, LoadMeter
from follower.websocket.workers import EngineLostError, Workers, supported
from tests.processes import WAIT_S, Stage, program, set_stage, until

pytestmark = pytest.mark.skipif(not supported(), reason="this system cannot hand sockets to other processes")


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Piece:
    path = tmp_path_factory.mktemp("stage") / "piece"
    write_piece(replace(make_piece(8.0), path=path))
    return load_piece(path)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2, LoadMeter()) as workers:
        assert workers.wait_ready()
        yield workers


SCRIPT: tuple[Command | int, ...] = (
    512, 1, 0, 4000, Seek(2.0), 30_000, PlaybackPosition(1.25, 0.5), 511, Pause(), 9000, Resume(), 40_000, Start(),
    60_000,
)  # fmt: skip
"""Lengths of blocks, and commands between them."""


def test_another_process_gives_the_same_events_bit_for_bit(piece: Piece, workers: Workers) -> None:
    sound, at = make_sound(8.0), 0
    here = Engine(piece, SOUND_RATE_HZ, start_s=1.0)
    with workers.engine(piece, SOUND_RATE_HZ, "tempo", 1.0) as there:
        for step in SCRIPT:
            if isinstance(step, int):
                block = AudioBlock(at + 700 * (at > 20_000), sound[at : at + step])
                assert there.process(block) == here.process(block)
                at += step
            else:
                assert there.command(step) == here.command(step)
        assert there.finish() == here.finish()
    assert at > 5 * SOUND_RATE_HZ


def test_what_the_engine_refuses_is_refused_here_too(piece: Piece, workers: Workers) -> None:
    with workers.engine(piece, SOUND_RATE_HZ, "tempo") as engine:
        with pytest.raises(InputError, match="seek to 99 s is outside"):
            engine.command(Seek(99.0))
        engine.process(AudioBlock(1000, np.zeros(100, np.float32)))
        with pytest.raises(InputError, match="blocks must come in order"):
            engine.process(AudioBlock(0, np.zeros(100, np.float32)))
        assert engine.process(AudioBlock(1100, np.zeros(0, np.float32))) == []
    with (
        pytest.raises(InputError, match="outside the orchestra recording"),
        workers.engine(piece, 22050, "tempo", 99.0),
    ):
        pass


def test_a_killed_process_takes_its_sessions_and_is_replaced(piece: Piece) -> None:
    with Workers(1, LoadMeter()) as workers:
        with pytest.raises(EngineLostError), workers.engine(piece, SOUND_RATE_HZ, "tempo") as engine:
            os.kill(workers.pids[0], signal.SIGKILL)
            for n in range(10_000):
                engine.process(AudioBlock(n * 512, np.zeros(512, np.float32)))
        until(lambda: workers.alive == 0)
        with workers.engine(piece, SOUND_RATE_HZ, "tempo") as engine:
            assert engine.process(AudioBlock(0, make_sound(1.0)))
        pid = workers.pids[0]
    assert not Path(f"/proc/{pid}").exists()


def test_admission_is_by_what_was_measured() -> None:
    """In simulated time: one core, sessions that each need a little less than a tenth of it."""
    now_s = 100.0
    meter = LoadMeter(cores=1.0, clock=lambda: now_s, own_time=lambda: 0.0)
    open_sessions = 0
    said = None
    for _ in range(40):
        said = meter.refusal()
        open_sessions += said is None
        for _ in range(round(2 * WINDOW_S / 0.02)):
            now_s += 0.02
            for session in range(open_sessions):
                meter.answered(session, 0.098 * 0.02, 0.003)
    assert open_sessions == int(MAX_BUSY / 0.098)
    assert (
        said is not None
        and f"{open_sessions} sessions use 0.8 of this computer's 1 cores" in said
        and "try later" in said
    )


def test_those_who_come_at_once_are_counted_before_they_are_measured() -> None:
    meter = LoadMeter(cores=1.0, clock=lambda: 100.0, own_time=lambda: 0.0)
    assert sum(meter.refusal() is None for _ in range(100)) == int(MAX_BUSY / FIRST_COST + 1e-9)


def test_slow_answers_are_reason_enough() -> None:
    """Somebody else uses the processor: what is measured is small, and late."""
    now_s = 100.0
    meter = LoadMeter(hop_s=0.023, cores=2.0, clock=lambda: now_s, own_time=lambda: 0.0)
    for _ in range(200):
        now_s += 0.02
        meter.answered(1, 0.0001, 0.022)
    assert "answer within 22 ms" in (meter.refusal() or "")


# The whole server.


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return set_stage(tmp_path_factory.mktemp("served"), 8.0)


class Served:
    """A running server: its process, port, engines' processes and log."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.process = process
        self.lines: list[str] = []
        stream = process.stderr

        def read() -> None:
            for line in stream:
                self.lines.append(line)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        until(lambda: self._found("engines are ready"), process)
        self.port = int(self._found(r"http://127.0.0.1:(\d+)/")[0])
        self.pids = [int(p) for p in self._found(r"processes \(([\d, ]+)\)")[0].split(", ")]

    def _found(self, pattern: str) -> list[str]:
        return re.findall(pattern, "".join(self.lines))

    def log(self, event: str) -> list[dict[str, str]]:
        """What was logged of an event."""
        found = [re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', line) for line in self.lines if f"event={event} " in line]
        return [{k: json.loads(v) if v.startswith('"') else v for k, v in pairs} for pairs in found]

    def get(self, path: str) -> tuple[int, str]:
        """Status and content of a page."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=WAIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def figure(self, name: str) -> float:
        """A figure of the metrics."""
        found = re.search(rf"^follower_{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.M)
        assert found is not None, name
        return float(found[1])

    def connect(self) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}/ws", compression=None, proxy=None)


@pytest.fixture(scope="module")
def served(stage: Stage) -> Iterator[Served]:
    with program(["serve", "--caches", str(stage.cache.parent), "--ws", "127.0.0.1:0", "--workers", "1"]) as process:
        yield Served(process)


def open_audio(client: ClientConnection) -> str:
    client.send(json.dumps({"type": "audio", "sample_rate": SOUND_RATE_HZ, "format": "f32le"}))
    while True:
        message = json.loads(client.recv(timeout=WAIT_S))
        if message["type"] == "error" or message.get("session"):
            return str(message.get("session") or message["message"])


def receive(client: ClientConnection, kind: str) -> dict[str, Any]:
    while (message := json.loads(client.recv(timeout=WAIT_S)))["type"] != kind:
        pass
    return dict(message)


def test_a_stalled_engine_leaves_out_audio_says_so_and_goes_on(served: Served) -> None:
    """SIGSTOP for two seconds while a client plays in real time."""
    with served.connect() as client:
        session = open_audio(client)
        sound, ended = make_sound(8.0).astype("<f4"), threading.Event()

        def play() -> None:
            begun_s, at = time.monotonic(), 0
            while not ended.wait(max(begun_s + at / SOUND_RATE_HZ - time.monotonic(), 0.0)):
                client.send(np.take(sound, range(at, at + 1024), mode="wrap").tobytes())
                at += 1024

        player = threading.Thread(target=play, daemon=True)
        player.start()
        try:
            receive(client, "position")
            os.kill(served.pids[0], signal.SIGSTOP)
            ended.wait(2.0)  # of the client's playing
            os.kill(served.pids[0], signal.SIGCONT)
            told = receive(client, "notice")
            while "was left out" not in told["message"]:
                told = receive(client, "notice")
            gap = receive(client, "gap")
            assert gap["lost_samples"] > 0.5 * SOUND_RATE_HZ
            after = receive(client, "position")
            assert after["audio_time"] > gap["audio_time"]
        finally:
            ended.set()
            player.join(WAIT_S)
        assert served.figure("gaps_total") >= 1 and served.figure("lost_audio_seconds_total") > 0.5
        assert any("was left out" in e["message"] and e["session"] == session for e in served.log("notice"))


def test_a_session_whose_engine_was_killed_ends_with_the_reason_and_the_server_goes_on(served: Served) -> None:
    """And a signal ends it all, with the other sessions told."""
    with served.connect() as client:
        session = open_audio(client)
        assert served.get("/healthz") == (200, "ok\n")
        os.kill(served.pids[0], signal.SIGKILL)
        client.send(make_sound(1.0).astype("<f4").tobytes())
        assert "process of its engine has ended" in receive(client, "ended")["reason"]
        assert served.get("/healthz") == (503, "engines are missing\n")
        until(lambda: any(e["session"] == session for e in served.log("ended")))
        assert open_audio(client) != session
        client.send(make_sound(1.0).astype("<f4").tobytes())
        receive(client, "position")
        assert served.get("/healthz") == (200, "ok\n")
        assert served.figure("sessions_opened_total") >= 2 and served.figure("positions_total") > 0
        served.process.send_signal(signal.SIGTERM)
        assert "the server ends" in receive(client, "ended")["reason"]
        assert served.process.wait(WAIT_S) == 143
    reasons = {e["session"]: e["reason"] for e in served.log("ended")}
    assert reasons[session].startswith("the process of its engine")
    assert {**served.log("opened")[0]}.items() >= {"session": "s1", "method": "tempo"}.items()
