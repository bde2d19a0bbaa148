"""The examples, run for real: Pure Data, SuperCollider and Python receive positions and print them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from follower.events import AudioBlock, Jump, State, StateChange
from follower.osc.control import OscControl
from follower.osc.sink import OscSink, TimeType
from follower.protocol.address import Address
from follower.session import plugins
from follower.session.controls import ControlQueue
from follower.testing import SESSION, position
from follower.websocket.sink import WebSocketSink
from tests.paths import EXAMPLES

WAIT_S = 60.0


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return int(udp.getsockname()[1])


class Program:
    """A program whose output is read line by line, with an end to all waiting."""

    def __init__(self, command: list[str], **env: str) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, **env},
        )  # fmt: skip
        self._watchdog = threading.Timer(WAIT_S, self.process.kill)
        self._watchdog.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line.rstrip()

    def wait_for(self, text: str) -> str:
        seen = []
        for line in self.lines():
            if text in line:
                return line
            seen.append(line)
        pytest.fail(f"{text!r} was never printed, but:\n" + "\n".join(seen))


def send_all(sink: OscSink) -> None:
    sink.begin(SESSION)
    sink.send(position(7, 12.25))
    sink.send(StateChange(0, 44100, State.ORCHESTRA, State.FOLLOWING, "why"))
    sink.send(Jump(0, 44100, 1.0, 2.0))


@pytest.mark.skipif(shutil.which("pd") is None, reason="not installed: pd (Debian: puredata-core)")
def test_pure_data_prints_positions(tmp_path: Path) -> None:
    port = free_udp_port()
    patch = tmp_path / "patch.pd"
    # A loadbang says when Pd listens; the rest is the example as it is, on a free port.
    text = (EXAMPLES / "pure_data_position.pd").read_text().replace("netreceive -u -b 9000", f"netreceive -u -b {port}")
    patch.write_text(text + "#X obj 500 20 loadbang;\n#X obj 500 50 print ready;\n#X connect 17 0 18 0;\n")
    command = ["pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", str(patch)]
    with Program(command) as pd, OscSink([Address("127.0.0.1", port)], TimeType.FLOAT) as sink:
        pd.wait_for("ready: bang")
        send_all(sink)
        assert pd.wait_for("hello: ").startswith("hello: 1 1.2.3 tempo 44100 100 110")
        assert pd.wait_for("position: ") == "position: 12.25 1 following"
        assert pd.wait_for("state: ").endswith("orchestra")
        assert pd.wait_for("jump: ") == "jump: 1 2"


@pytest.mark.skipif(shutil.which("sclang") is None, reason="not installed: sclang (Debian: supercollider-language)")
def test_supercollider_prints_positions_and_asks_for_hello(tmp_path: Path) -> None:
    port = free_udp_port()
    asked = threading.Event()
    with OscControl(Address("127.0.0.1", 0), ControlQueue(), asked.set) as control:
        script = tmp_path / "script.scd"
        text = (EXAMPLES / "supercollider_position.scd").read_text()
        script.write_text(text.replace('"127.0.0.1", 9001', f'"127.0.0.1", {control.port}'))
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        with (
            Program(
                ["sclang", "-u", str(port), "-i", "none", str(script)],
                HOME=str(home), XDG_RUNTIME_DIR=str(home), QT_QPA_PLATFORM="offscreen",
                QTWEBENGINE_DISABLE_SANDBOX="1", QTWEBENGINE_CHROMIUM_FLAGS="--no-sandbox",
            ) as sclang,
            OscSink([Address("127.0.0.1", port)]) as sink,
        ):  # fmt: skip
            used_port = sclang.wait_for("listening on port")
            assert used_port.endswith(str(port))
            assert asked.wait(WAIT_S), "the example asks for the hello"
            send_all(sink)
            assert "protocol 1 orchestra 100" in sclang.wait_for("hello protocol")
            assert sclang.wait_for("position 7") == "position 7 12.25 rate 1.0 following"
            assert sclang.wait_for("state ") == "state orchestra"
            assert sclang.wait_for("jump ") == "jump from 1.0 to 2.0"


def test_the_python_client_example_prints_positions() -> None:
    with WebSocketSink(0, ControlQueue()) as sink:
        sink.begin(SESSION)
        sink.send(position(7, 12.25, State.PAUSED))
        command = [sys.executable, str(EXAMPLES / "show_position.py"), f"ws://127.0.0.1:{sink.port}/ws", "1"]
        with Program(command) as example:
            assert example.wait_for(" s  rate ") == "   12.25 s  rate 1.00  paused"
            assert example.process.wait(WAIT_S) == 0


def test_the_sink_of_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    path = tmp_path / "places.txt"
    with plugins.create(f"text_sink:TextSink={path}") as sink:
        sink.begin(SESSION)
        for n in range(5):
            sink.send(position(n, 3.0 + 0.5 * n))
        sink.send(StateChange(0, 44100, State.PAUSED, State.FOLLOWING, "the pianist stopped"))
    assert path.read_text().splitlines() == [
        "following, 100 s of orchestra", "3 s at rate 1.00", "4 s at rate 1.00", "5 s at rate 1.00",
        "paused: the pianist stopped",
    ]  # fmt: skip


def test_the_source_of_your_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    with plugins.create("tone_source:ToneSource=1000") as source:
        blocks = source.blocks()
        first, second = next(blocks), next(blocks)
        source.stop()
        assert next(blocks, None) is None
    assert isinstance(first, AudioBlock)
    assert (first.first_sample, second.first_sample) == (0, 512)
    assert abs(first.samples).max() == pytest.approx(0.3, abs=0.01)
