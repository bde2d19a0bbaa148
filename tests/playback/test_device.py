"""The sound card's side of the player: with a stand-in for PortAudio, and through a real sound server if one runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from follower.audio import device_thread, portaudio
from follower.errors import DeviceError
from follower.events import Notice, State, StateChange
from follower.playback import device, output_buffer
from follower.playback.control import ControlConfig
from follower.playback.device import OrchestraOutput
from follower.playback.output_buffer import OutputBuffer
from follower.protocol.commands import PlaybackPosition
from tests.playback.playback_simulation import position, position_player, silent_recording

RATE_HZ = 8000
WAIT_S = 30.0


class FakeStream:
    """Calls back when the test says so."""

    def __init__(self, callback: Callable[[Any, int, Any, Any], None], latency: float = 0.02) -> None:
        self.callback = callback
        self.latency = latency
        self.state = "open"

    def start(self) -> None:
        self.state = "started"

    def close(self, ignore_errors: bool = True) -> None:
        del ignore_errors
        self.state = "closed"

    def ask(self, dac_s: float, current_s: float, n: int = 256, underflow: bool = False) -> np.ndarray:
        out = np.full((n, 2), np.nan, np.float32)
        times = SimpleNamespace(outputBufferDacTime=dac_s, currentTime=current_s)
        self.callback(out, n, times, SimpleNamespace(output_underflow=underflow))
        return out


class Stage:
    """An output on a fake stream, its producer called by hand, its clock set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.buffer = OutputBuffer(position_player(silent_recording(600.0, RATE_HZ)), 256)
        self.streams: list[FakeStream] = []
        self.reports: list[PlaybackPosition] = []
        self.output = OrchestraOutput(self.buffer, self.open, self.reports.append, lambda: self.now_s)

    def open(self, callback: Callable[[Any, int, Any, Any], None]) -> FakeStream:
        self.streams.append(FakeStream(callback))
        return self.streams[-1]

    def run(self, blocks: int, dac: Callable[[float], tuple[float, float]]) -> np.ndarray:
        """Let the card ask for blocks while a follower stands at the place `now`; return the last block."""
        out = np.zeros((256, 2), np.float32)
        for _ in range(blocks):
            self.output.send(position(self.now_s, self.now_s, capture_time_s=self.now_s))
            out = self.streams[-1].ask(*dac(self.now_s))
            self.buffer.produce()
            self.now_s += 256 / RATE_HZ
        return out


def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    # The producer's thread would race with the simulated time.
    monkeypatch.setattr(OrchestraOutput, "_work", lambda _self: None)


@pytest.mark.parametrize(
    ("dac", "lag_s"),
    [
        (lambda now: (now + 7.05, now + 7.0), 0.05),  # PortAudio's clock has another zero
        (lambda _now: (0.0, 0.0), 0.02),  # no times: the stream's own latency
        (lambda now: (now + 50.0, now), 0.02),  # times that cannot be
    ],
)
def test_what_leaves_the_loudspeaker_is_where_the_pianist_is_then(
    monkeypatch: pytest.MonkeyPatch, dac: Callable[[float], tuple[float, float]], lag_s: float
) -> None:
    no_thread(monkeypatch)
    stage = Stage()
    with stage.output:
        out = stage.run(80, dac)
    sounding_s = stage.now_s - 256 / RATE_HZ + lag_s
    assert float(out[0, 0]) == pytest.approx(sounding_s, abs=0.004)


def test_what_sounds_is_reported_to_the_engine_when_the_microphone_receives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    stage = Stage()
    with stage.output:
        stage.run(80, lambda now: (now + 0.05, now))
        assert stage.reports[0].rate == 0.0, "silent at first"
        # Each position asks about its own capture, the sound of which was made a tenth of a second before.
        late = stage.reports[-10:]
        captured = [stage.now_s - (10 - k) * 256 / RATE_HZ for k in range(10)]
        assert [p.orchestra_time_s for p in late] == pytest.approx(captured, abs=ControlConfig().slack_s + 0.001)
        assert [p.rate for p in late] == pytest.approx([1.0] * 10, abs=0.02)
        stage.output.send(StateChange(round(stage.now_s * 22050), 22050, State.ENDED, State.FOLLOWING, "over"))
        for _ in range(20):
            stage.streams[-1].ask(stage.now_s + 0.05, stage.now_s)
            stage.buffer.produce()
            stage.now_s += 256 / RATE_HZ
        assert stage.buffer.sounding(stage.now_s).rate == 0.0
        assert stage.buffer.sounding(stage.now_s - 1e6).rate == 0.0, "long forgotten"


def test_the_end_of_the_stream_reaches_the_player_and_notices_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    stage = Stage()
    with stage.output:
        assert np.abs(stage.run(60, lambda now: (now + 0.02, now))).max() > 0
        stage.output.send(Notice(0, 22050, "nothing to play"))
        stage.output.send(StateChange(round(stage.now_s * 22050), 22050, State.ENDED, State.FOLLOWING, "over"))
        for _ in range(20):
            out = stage.streams[-1].ask(stage.now_s + 0.02, stage.now_s)
            stage.buffer.produce()
            stage.now_s += 256 / RATE_HZ
    assert np.abs(out).max() == 0
    assert stage.output.dropped == 0


def test_opening_and_closing_is_clean_and_can_be_repeated() -> None:
    stage = Stage()
    for _ in range(2):
        with stage.output:
            assert stage.streams[-1].state == "started"
        assert stage.streams[-1].state == "closed"


def test_a_device_that_does_not_start_is_a_clear_error_and_is_released() -> None:
    stage = Stage()

    class Broken(FakeStream):
        def start(self) -> None:
            raise RuntimeError("busy")

    streams = []

    def broken(callback: Callable[[Any, int, Any, Any], None]) -> Broken:
        streams.append(Broken(callback))
        return streams[-1]

    with pytest.raises(DeviceError, match="busy"), OrchestraOutput(stage.buffer, broken):
        pass
    assert streams[0].state == "closed"


def test_a_device_that_hangs_when_it_is_closed_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    monkeypatch.setattr(device, "WAKE_S", 0.01)
    monkeypatch.setattr(device_thread, "CLOSES_WITHIN_S", 0.01)
    stage, go_on = Stage(), threading.Event()
    try:
        with stage.output as output:
            stage.run(5, lambda now: (now + 0.02, now))
            close = stage.streams[0].close
            monkeypatch.setattr(stage.streams[0], "close", lambda: (go_on.wait(), close()))
            unplugged(stage, output, 1.8)
            assert output.losses == 1 and len(stage.streams) == 1, "it waits, and is asked once"
    finally:
        go_on.set()
        device_thread.ask(lambda: None).result()
    assert [s.state for s in stage.streams] == ["closed", "closed"], "what is opened when nobody waits is closed again"


def test_a_player_that_fails_leaves_silence_and_is_reported_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    asked = threading.Event()

    def fail() -> None:
        asked.set()
        raise ValueError("broken stretcher")

    monkeypatch.setattr(stage.buffer, "produce", fail)
    with pytest.raises(ValueError, match="broken stretcher"), stage.output:
        assert asked.wait(WAIT_S)
        stage.output.send(position(1.0, 1.0))
        assert np.abs(stage.streams[-1].ask(100.0, 100.0)).max() == 0


def test_what_the_driver_lost_counts_as_a_drop_out(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    stage = Stage()
    with stage.output:
        stage.run(3, lambda now: (now + 0.02, now))
        assert stage.buffer.drop_outs == 0
        stage.streams[-1].ask(stage.now_s, stage.now_s, underflow=True)
    assert stage.buffer.drop_outs == 1
    assert device.gathered(44100, 0.01) == 1024
    assert device.gathered(44100, 0.1) == 8820


def unplugged(stage: Stage, output: OrchestraOutput, seconds: float) -> None:
    """The device asks for nothing while the pianist plays on."""
    for _ in range(round(seconds / device.WAKE_S)):
        stage.now_s += device.WAKE_S
        output.send(position(stage.now_s, stage.now_s, capture_time_s=stage.now_s))
        output._turn()


def test_a_lost_output_is_reopened_and_the_orchestra_enters_where_the_pianist_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_thread(monkeypatch)
    stage = Stage()

    def dac(now_s: float) -> tuple[float, float]:
        return now_s + 0.02, now_s

    away = False
    attempts = 0

    def opening(callback: Callable[[Any, int, Any, Any], None]) -> FakeStream:
        nonlocal attempts
        if away:
            attempts += 1
            raise DeviceError("gone")
        return stage.open(callback)

    output = OrchestraOutput(stage.buffer, opening, stage.reports.append, lambda: stage.now_s)
    stage.output = output
    with output:
        assert np.abs(stage.run(60, dac)).max() > 0
        away = True
        unplugged(stage, output, device.GONE_AFTER_S - 0.1)
        assert output.losses == 0, "a hiccup is no loss"
        unplugged(stage, output, 5.0)
        assert output.losses == 1 and stage.streams[0].state == "closed"
        assert stage.reports[-1].rate == 0.0, "nothing sounds"
        assert 4 <= attempts <= 6, "not at every turn"
        away = False
        unplugged(stage, output, device.RETRY_S[-1] + 0.1)
        assert [s.state for s in stage.streams] == ["closed", "started"]
        entries = stage.buffer.player.counts.entries
        first = np.abs(stage.streams[-1].ask(*dac(stage.now_s)))
        assert first.max() == 0, "what waited for the lost device is stale"
        out = stage.run(60, dac)
    assert stage.buffer.player.counts.entries == entries + 1
    assert stage.buffer.player.counts.jumps == 0
    sounding_s = stage.now_s - 256 / RATE_HZ + 0.02
    assert float(out[0, 0]) == pytest.approx(sounding_s, abs=ControlConfig().slack_s + 0.001)
    assert stage.streams[-1].state == "closed"
    assert output.losses == 1


def test_a_slow_start_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    stage = Stage()
    with stage.output:
        unplugged(stage, stage.output, device.FIRST_CALLBACK_S - 0.1)
        assert stage.output.losses == 0
        unplugged(stage, stage.output, 0.3)
        assert stage.output.losses == 1 and len(stage.streams) == 2


def test_outputs_are_found_by_number_and_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        portaudio.Device(0, "Microphone", "ALSA", 1, 0, 44100, True),
        portaudio.Device(1, "USB Audio", "ALSA", 0, 2, 48000, False),
        portaudio.Device(2, "USB Audio 2", "ALSA", 0, 2, 44100, False),
    ]
    monkeypatch.setattr(portaudio, "devices", lambda: found)
    monkeypatch.setattr(portaudio, "load", lambda: SimpleNamespace(default=SimpleNamespace(device=(0, 2))))
    assert portaudio.find_output(None).index == 2
    assert portaudio.find_output("USB Audio").index == 1
    assert portaudio.find_output("audio 2").index == 2
    assert portaudio.find_output("1").index == 1
    with pytest.raises(DeviceError, match="2 output devices are called 'usb'"):
        portaudio.find_output("usb")
    with pytest.raises(DeviceError, match="no output device is called 'Microphone'"):
        portaudio.find_output("Microphone")
    monkeypatch.setattr(portaudio, "devices", lambda: found[:1])
    with pytest.raises(DeviceError, match="no audio output"):
        portaudio.find_output(None)


PROGRAMS = ("pulseaudio", "parec", "pactl")
missing = [p for p in PROGRAMS if shutil.which(p) is None]

PLAY = """
import json, sys, time
import numpy as np
from follower import kernels
from follower.audio import device_thread, portaudio
from follower.events import Position, State
from follower.playback import device, output_buffer
from follower.playback.control import ControlConfig
from follower.playback.stretchers import make_stretcher
from follower.playback.output_buffer import OutputBuffer
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording

kernels.warmup()
t = np.arange(60 * 44100) / 44100
recording = OrchestraRecording.from_samples((0.5 * np.sin(2 * np.pi * 441 * t)).astype(np.float32), 44100)
card = portaudio.find_output("pulse")
assert device.supports(card, 44100)
player = OrchestraPlayer(recording, lambda: make_stretcher("vocoder", recording))
buffer = OutputBuffer(player, device.gathered(44100, 0.1))
begin_s = time.monotonic()
with device.OrchestraOutput(buffer, device.opener(card, 44100, 0.1)) as output:
    for seq, _ in enumerate(sys.stdin):  # one line per 512 samples that the sound server played
        now_s = time.monotonic()
        place_s = 5 + 1.1 * (now_s - begin_s)
        output.send(Position(seq, round((now_s - begin_s) * 22050), 22050, place_s, None, 1.1, 0.9, State.FOLLOWING,
                             now_s))
print(json.dumps({"drop_outs": buffer.drop_outs, "entries": player.counts.entries, "jumps": player.counts.jumps}))
"""


@pytest.fixture
def sound_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a private sound server with one null sink."""
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: pulseaudio pulseaudio-utils libasound2-plugins)")
    tmp_path.chmod(0o700)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "DBUS_", "DISPLAY"))} | {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{tmp_path}/native",
    }
    server = subprocess.Popen(
        [
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
            "--high-priority=no", "-L", "module-null-sink sink_name=hall rate=44100 channels=2",
            "-L", f"module-native-protocol-unix socket={tmp_path}/native auth-anonymous=1",
        ],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            asked = subprocess.run(
                ["pactl", "list", "short", "sinks"], env=env, capture_output=True, timeout=WAIT_S, check=False
            )
            if b"hall" in asked.stdout:
                break
            if server.poll() is not None:
                pytest.skip(f"no sound server can run here: pulseaudio ended with code {server.returncode}")
        else:
            pytest.skip("no sound server can run here: pulseaudio does not answer")
        yield env
    finally:
        server.kill()
        server.wait()


def test_a_real_sound_server_plays_the_orchestra(sound_server: dict[str, str]) -> None:
    recorder = subprocess.Popen(
        [
            "parec", "--raw", "--format=float32le", "--channels=2", "--rate=44100", "--latency=4096",
            "-d", "hall.monitor",
        ],
        env=sound_server, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    playing = subprocess.Popen(
        [sys.executable, "-c", PLAY],
        env=sound_server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert recorder.stdout is not None and playing.stdin is not None
        blocks: list[np.ndarray] = []
        sounding = 0
        while sounding < 3 * 44100 and len(blocks) < 60 * 44100 // 512:
            block = np.frombuffer(recorder.stdout.read(512 * 8), np.float32).reshape(-1, 2)
            blocks.append(block)
            sounding += 512 * bool(np.abs(block).max() > 0.1)
            playing.stdin.write("played\n")
            playing.stdin.flush()
        report = json.loads(playing.communicate(timeout=WAIT_S)[0].splitlines()[-1])
    finally:
        for process in (recorder, playing):
            process.kill()
            process.wait()
        assert recorder.stdout is not None
        recorder.stdout.close()
    sound = np.concatenate(blocks)[-2 * 44100 :, 0]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert float(np.argmax(spectrum)) * 44100 / len(sound) == pytest.approx(441.0, abs=0.6)
    assert float(np.sqrt(np.mean(sound**2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    assert report["entries"] == 1
    assert report["jumps"] == 0


def test_drop_outs_are_told_while_they_happen_and_not_all_the_time() -> None:
    buffer = OutputBuffer(position_player(silent_recording(10.0, RATE_HZ)), 256)
    told: list[str] = []
    now_s = 0.0
    output = OrchestraOutput(buffer, lambda callback: pytest.fail("not opened"), None, lambda: now_s, told.append)
    output._tell_drop_outs()
    assert told == []
    for drop_outs in (2, 3):
        buffer.drop_outs = drop_outs
        output._tell_drop_outs()
    assert len(told) == 1 and "dropped out (2 times)" in told[0]
    now_s = device.TELL_AGAIN_S
    output._tell_drop_outs()
    assert len(told) == 2 and "(1 times)" in told[1]


def test_that_as_little_is_kept_ready_as_at_first_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    no_thread(monkeypatch)
    stage, told = Stage(), list[str]()
    stage.output = OrchestraOutput(stage.buffer, stage.open, None, lambda: stage.now_s, told.append)

    def play(seconds: float, late: bool = False) -> None:
        for n in range(round(seconds * RATE_HZ / 256)):
            stage.streams[-1].ask(stage.now_s, stage.now_s)
            stage.now_s += 256 / RATE_HZ
            if not late or n % 8 == 7:
                stage.output._turn()

    with stage.output:
        play(3.0)
        at_first = stage.buffer.kept_ready
        play(3.0, late=True)
        assert stage.buffer.kept_ready > at_first and "dropped out" in told[0]
        before = len(told)
        play(2.0 * output_buffer.CALM_S)
    ready_ms = 1e3 * at_first / RATE_HZ
    assert [text for text in told[before:] if "again" in text] == [
        f"no drop-outs of the orchestra for a while: {ready_ms:.0f} ms of sound are kept ready again"
    ]
