"""The real PortAudio path: a PulseAudio null sink's monitor is the input device, a real player plays into it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = ("pulseaudio", "paplay", "pactl")
missing = [p for p in PROGRAMS if shutil.which(p) is None]
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        bool(missing),
        reason=f"not installed: {', '.join(missing)} (Debian: pulseaudio pulseaudio-utils libasound2-plugins)",
    ),
]
TONE_HZ = 441.0
RATE = 44100
WAIT_S = 30.0

LISTEN = """
import json, sys
import numpy as np
from follower.events import Notice
from follower.audio.microphone import MicrophoneSource

wanted = int(sys.argv[1])      # parts of half a second with sound in them
with MicrophoneSource("pulse", sample_rate_hz=44100, channels=1) as source:
    print(json.dumps({"rate": source.sample_rate_hz}), flush=True)
    part, counter, jumps = [], 0, 0
    for item in source.blocks():
        if isinstance(item, Notice):
            print(json.dumps({"notice": item.message}), flush=True)
            part = []
            continue
        jumps += item.first_sample != counter
        counter = item.first_sample + len(item.samples)
        if not len(item.samples) or not item.samples.any():
            continue
        part.append(item.samples)
        if sum(map(len, part)) >= 22050:
            audio = np.concatenate(part)
            spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
            peak_hz = float(np.argmax(spectrum) * 44100 / len(audio))
            print(json.dumps({"peak_hz": peak_hz, "rms": float(np.sqrt(np.mean(audio**2))),
                              "counter": counter, "jumps": jumps}), flush=True)
            part, wanted = [], wanted - 1
            if wanted == 0:
                source.stop()
"""


class Stage:
    """A sound server with one null sink, and a player that plays a tone into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "DBUS_", "DISPLAY"))
        } | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{folder}/native",
            "PULSE_SOURCE": "stage.monitor",
        }
        self.server: subprocess.Popen[bytes] | None = None
        self.player: subprocess.Popen[bytes] | None = None
        tone = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(60 * RATE) / RATE)
        with wave.open(str(folder / "tone.wav"), "wb") as f:
            f.setnchannels(1)
            f.setsampwidth(2)
            f.setframerate(RATE)
            f.writeframes((32767 * tone).astype("<i2").tobytes())

    def start(self) -> None:
        self.server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
                "--high-priority=no", "-L", f"module-null-sink sink_name=stage rate={RATE} channels=1",
                "-L", f"module-native-protocol-unix socket={self.folder}/native auth-anonymous=1",
            ],
            env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            command = ["pactl", "list", "short", "sources"]
            asked = subprocess.run(command, env=self.env, capture_output=True, timeout=WAIT_S)
            if b"stage.monitor" in asked.stdout:
                break
            if self.server.poll() is not None:
                pytest.skip(f"no sound server can run here: pulseaudio ended with code {self.server.returncode}")
        else:
            pytest.skip("no sound server can run here: pulseaudio does not answer")
        self.player = subprocess.Popen(
            ["paplay", str(self.folder / "tone.wav")],
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        for process in (self.player, self.server):
            if process is not None:
                process.kill()
                process.wait()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    tmp_path.chmod(0o700)
    opened = Stage(tmp_path)
    try:
        opened.start()
        yield opened
    finally:
        opened.stop()


def test_a_player_is_recorded_and_a_server_that_dies_comes_back(stage: Stage) -> None:
    listening = subprocess.Popen(
        [sys.executable, "-c", LISTEN, "4"], env=stage.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert listening.stdout is not None
    # A stream that is never opened again fails the test instead of stopping it for good.
    watchdog = threading.Timer(60.0, listening.kill)
    watchdog.start()
    try:
        parts: list[dict[str, float]] = []
        notices: list[str] = []
        for line in listening.stdout:
            message = json.loads(line)
            if "peak_hz" in message:
                parts.append(message)
                if len(parts) == 2:
                    stage.stop()
                    gone_s = time.monotonic()
            elif "notice" in message:
                notices.append(message["notice"])
                if len(notices) == 1:
                    away_s = time.monotonic() - gone_s
                    stage.start()
        assert listening.wait(WAIT_S) == 0
    finally:
        watchdog.cancel()
        listening.kill()
        listening.wait()
        listening.stdout.close()
    # A server that is only just starting may be found and lost again.
    assert notices == ["the audio input pulse gives no audio; trying to reopen it", "the audio input pulse is back"] * (
        len(notices) // 2
    )
    assert notices
    assert len(parts) == 4
    for part in (parts[0], parts[1], parts[3]):  # the third may hold the start of the player
        assert part["peak_hz"] == pytest.approx(TONE_HZ, abs=2.1)
        assert part["rms"] == pytest.approx(0.5 / np.sqrt(2), rel=0.2)  # a busy player may stutter
    assert parts[3]["jumps"] > parts[1]["jumps"], "the absence is a step of the counter"
    part_and_absence = RATE / 2 + RATE * away_s
    assert parts[2]["counter"] - parts[1]["counter"] > part_and_absence, "and it is as long as the device was away"


HANG = """
import signal
from follower.events import Notice
from follower.audio.microphone import MicrophoneSource

with MicrophoneSource("pulse", sample_rate_hz=44100, channels=1) as source:
    signal.signal(signal.SIGTERM, lambda *_: source.stop())
    heard = 0
    for item in source.blocks():
        if isinstance(item, Notice):
            print(item.message, flush=True)
            continue
        if len(item.samples) and not heard:
            print("heard", flush=True)
        heard += len(item.samples)
print("closed", flush=True)
"""


def test_a_sound_server_that_hangs_does_not_keep_the_program(stage: Stage) -> None:
    """Closing a stream of a stopped server waits inside PortAudio, where no signal is taken."""
    assert stage.server is not None
    listening = subprocess.Popen([sys.executable, "-c", HANG], env=stage.env, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(WAIT_S, listening.kill)
    watchdog.start()
    try:
        assert listening.stdout is not None
        assert next(listening.stdout) == "heard\n"
        stage.server.send_signal(signal.SIGSTOP)
        assert next(listening.stdout) == "the audio input pulse gives no audio; trying to reopen it\n"
        listening.send_signal(signal.SIGTERM)
        assert listening.stdout.read() == "closed\n"
        assert listening.wait(WAIT_S) == 0
    finally:
        watchdog.cancel()
        listening.kill()
        listening.wait()
        assert listening.stdout is not None
        listening.stdout.close()


def test_the_meter_shows_the_level(stage: Stage) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "follower", "devices", "--meter", "--device", "pulse", "--seconds", "0:01"],
        env=stage.env, capture_output=True, text=True, timeout=WAIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    last_db = float(done.stdout.splitlines()[-1].split()[0])
    assert last_db == pytest.approx(-9.0, abs=1.5)
