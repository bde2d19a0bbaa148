"""The live commands as a user starts them: replay and live into the network, serve, and what they refuse."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from websockets.sync.client import connect

from follower.cli import command_parser, main
from follower.commands.options.orchestra import PlayOptions
from follower.commands.outputs import access_to
from follower.commands.serve import ServeOptions
from follower.events import Event, Position
from follower.piece.manifest import MANIFEST
from follower.protocol.commands import PlaybackPosition
from follower.session.sink import Sink
from follower.testing import BLOCK, RATE_HZ, FakeEngine, ListSink
from tests.paths import EXAMPLES

WAIT_S = 30.0


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """Engines and caches are stand-ins; everything else is the program."""
    made: list[FakeEngine] = []

    def engine(cache: object, rate_hz: int, method: str, start_s: float | None) -> FakeEngine:
        made.append(FakeEngine(rate_hz, method))
        return made[-1]

    def cache(path: Path) -> SimpleNamespace:
        return SimpleNamespace(path=path, orchestra_duration_s=100.0, mix_duration_s=110.0)

    monkeypatch.setattr("follower.piece.reading.load_piece", cache)
    monkeypatch.setattr("follower.engine.Engine", engine)
    monkeypatch.setattr("follower.kernels.warmup", lambda names: None)
    return made


@pytest.fixture
def piano(tmp_path: Path) -> Path:
    path = tmp_path / "p.wav"
    soundfile.write(path, np.zeros(20 * BLOCK), RATE_HZ)
    return path


@contextlib.contextmanager
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(WAIT_S)
        yield udp


def received(udp: socket.socket, until: int) -> list[OscMessage]:
    """Messages up to a position with that seq or a later one."""
    messages: list[OscMessage] = []
    while not (messages and messages[-1].address == "/follower/position" and messages[-1].params[0] >= until):
        messages.append(OscMessage(udp.recv(4096)))
    return messages


def address(udp: socket.socket) -> str:
    return f"127.0.0.1:{udp.getsockname()[1]}"


@pytest.mark.usefixtures("engines")
def test_replay_sends_osc_to_several_targets(piano: Path) -> None:
    with receiver() as a, receiver() as b:
        assert main(["replay", "cache", str(piano), "--osc", address(a), "--osc", address(b)]) == 0
        for udp in (a, b):
            messages = received(udp, until=19)
            assert messages[0].address == "/follower/hello"
            seqs = [m.params[0] for m in messages[1:]]
            # A busy machine may make the sender's thread wait, and then only the newest is sent.
            assert seqs == sorted(set(seqs)) and seqs[-1] == 19


@pytest.mark.usefixtures("engines")
def test_replay_sends_floats_on_request(piano: Path) -> None:
    with receiver() as udp:
        assert main(["replay", "cache", str(piano), "--speed", "max", "--osc", address(udp), "--osc-float"]) == 0
        while not (dgram := udp.recv(4096)).startswith(b"/follower/position"):
            pass
        assert dgram[dgram.index(b",") :].split(b"\0")[0] == b",ifffsfff"


def test_live_takes_a_source_a_sink_and_commands_and_serves_clients(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    done: list[int] = []
    command = [
        "live", "cache", "--source", "tone_source:ToneSource",
        "--sink", f"text_sink:TextSink={tmp_path / 'places.txt'}",
        "--osc-in", "0", "--ws", "127.0.0.1:0", "--jsonl", str(tmp_path / "all.jsonl"),
    ]  # fmt: skip
    with receiver() as udp:
        thread = threading.Thread(target=lambda: done.append(main([*command, "--osc", address(udp)])))
        thread.start()
        received(udp, until=3)  # it runs
        announced = capfd.readouterr().err
        ports = re.findall(r"(?:OSC commands on: |practice room: http://)127.0.0.1:(\d+)", announced)
        control_port, ws_port = map(int, ports)
        with connect(f"ws://127.0.0.1:{ws_port}/ws", compression=None, proxy=None) as client:
            hello = json.loads(client.recv(timeout=WAIT_S))
            assert (hello["type"], hello["session"]) == ("hello", "live")
            client.send('{"type": "seek", "orchestra_time": 50}')
            while (message := json.loads(client.recv(timeout=WAIT_S))).get("orchestra_time", 0) < 50:
                assert message["type"] in ("position", "practice", "markers")
            pause = OscMessageBuilder("/follower/pause").build().dgram
            udp.sendto(pause, ("127.0.0.1", control_port))
            while (message := json.loads(client.recv(timeout=WAIT_S)))["type"] != "ended":
                assert message["type"] in ("position", "hello", "practice", "markers")
        thread.join(WAIT_S)
    assert done == [0]
    assert [type(c).__name__ for c in engines[0].commands] == ["Seek", "Pause"]
    assert "50 s at rate 1.00" in (tmp_path / "places.txt").read_text()
    assert json.loads((tmp_path / "all.jsonl").read_text().splitlines()[0])["type"] == "hello"


def test_the_player_reports_to_the_engine_what_sounds(
    engines: list[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)

    def play_sinks(
        options: PlayOptions, cache: object, desk: object, on_playback: Callable[[PlaybackPosition], None], tell: object
    ) -> list[Sink]:
        del cache, desk, tell
        assert options.play
        return [Reporting(on_playback)]

    class Reporting(ListSink):
        def __init__(self, on_playback: Callable[[PlaybackPosition], None]) -> None:
            super().__init__()
            self.on_playback = on_playback

        def __enter__(self) -> Reporting:
            return self

        def send(self, event: Event) -> None:
            super().send(event)
            if isinstance(event, Position) and event.seq == 3:
                self.on_playback(PlaybackPosition(12.0, 1.1))
            if isinstance(event, Position) and event.seq == 10:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("follower.commands.orchestra.play_sinks", play_sinks)
    assert main(["live", "cache", "--source", "tone_source:ToneSource", "--play"]) == 130
    assert engines[0].commands == [PlaybackPosition(12.0, 1.1)]


def test_serve_from_start_to_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "bach").mkdir()
    (tmp_path / "bach" / MANIFEST).write_text("{}")
    command = [sys.executable, "-m", "follower", "serve", "--caches", str(tmp_path), "--ws", "127.0.0.1:0"]
    # Nothing is computed here, so nothing need be compiled.
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"})
    try:
        assert server.stderr is not None
        port = next(int(found[1]) for line in server.stderr if (found := re.search(r"http://127.0.0.1:(\d+)/", line)))
        with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as client:
            assert json.loads(client.recv(timeout=WAIT_S))["caches"] == ["bach"]
            client.send('{"type": "audio", "sample_rate": 44100, "format": "f32le"}')
            error = json.loads(client.recv(timeout=WAIT_S))
            assert (error["type"], error["code"]) == ("error", "failed"), "that cache is damaged; the server lives"
            server.send_signal(signal.SIGINT)
            assert server.wait(WAIT_S) == 130
    finally:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--caches", "TMP", "--ws", "0.0.0.0:0"], "--token"),
        (["serve", "--caches", "TMP", "--ws", "0.0.0.0:0", "--token-file", "TMP/short"], "5 characters"),
        (["serve", "--caches", "TMP", "--ws", "0.0.0.0:0", "--token-file", "TMP/nothing"], "holds no token"),
        (["serve", "--caches", "TMP", "--ws", "0.0.0.0:0", "--token", "a-token-of-22-letters"], "does not belong on"),
        (["replay", "cache", "PIANO", "--osc-in", "0.0.0.0:0"], "--osc-in-any"),
        (["live", "cache", "--osc-in", "192.168.1.5:9001"], "anyone there could pause"),
        (["serve", "--caches", "TMP/none"], "not a folder"),
        (["serve", "--caches", "TMP", "--origin", "nonsense"], "'nonsense' is not a web origin"),
        (["serve", "--caches", "TMP", "--origin", "https://stage.example/page"], "is not a web origin"),
        (["serve", "--caches", "TMP", "--origin", "https://["], "is not a web origin"),
        (["serve", "--caches", "TMP", "--sessions", "0"], "argument --sessions: 0 is too few"),
        (["serve", "--caches", "TMP", "--certificate", "a.pem", "b.pem", "--ws", "0"], "a.pem"),
        (["replay", "cache", "PIANO", "--osc", "no-such-host.invalid:9"], "no-such-host.invalid:9"),
        (["replay", "cache", "PIANO", "--ws", "0.0.0.0:0"], "--token"),
        (["replay", "cache", "PIANO", "--sink", "nothing"], "MODULE:CLASS"),
        (["replay", "cache", "PIANO", "--speed", "max", "--play"], "--play needs a pace that can be heard"),
        (["live", "cache", "--source", "no_such_module:Source"], "no_such_module"),
    ],
)
@pytest.mark.usefixtures("engines")
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, piano: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("FOLLOWER_TOKEN", raising=False)
    (tmp_path / "short").write_text("short\n")
    (tmp_path / "nothing").write_text("\n")
    assert main([a.replace("TMP", str(tmp_path)).replace("PIANO", str(piano)) for a in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert words in lines[-1] and lines[-1].startswith("error: ")
    assert not any("Traceback" in line for line in lines)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("blocks", [3, 3000])  # the disk is full when buffers are written: at the end, or before
@pytest.mark.usefixtures("engines")
def test_a_full_disk_is_said_and_the_other_outputs_are_complete(
    blocks: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "p.wav", np.zeros(blocks * BLOCK), RATE_HZ)
    outputs = ["--positions", "/dev/full", "--jsonl", str(tmp_path / "all.jsonl")]
    assert main(["replay", "cache", str(tmp_path / "p.wav"), "--speed", "max", *outputs]) == 2
    *noticed, error = capsys.readouterr().err.strip().splitlines()
    assert error == "error: /dev/full is incomplete: No space left on device"
    assert set(noticed) <= {"/dev/full is no longer written: No space left on device"}, "while it ran"
    messages = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert sum(m["type"] == "position" for m in messages) == blocks


@pytest.mark.parametrize("bad", ["nonsense", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", ":9000", "1:2:x", "٣"])
def test_an_address_that_is_none(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "cache", "p.wav", "--osc", bad]) == 2
    assert "HOST:PORT" in capsys.readouterr().err


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWER_TOKEN", "a-token-that-is-long-enough")
    parser, module = command_parser("serve")
    options: ServeOptions = module.options_of(
        parser.parse_args(["--caches", "c", "--origin", "https://stage.example", "--ws", "0.0.0.0:80"])
    )
    access = access_to(options.address.host, options.access)
    assert access.token == "a-token-that-is-long-enough"
    assert access.origins == {"https://stage.example"}
    assert "long-enough" not in repr(options)
