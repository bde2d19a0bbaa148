"""`follower live --play` through a real sound server while the computer is busy: what is heard, told, and kept ready.

    python -m benchmarks.playback.under_load [--record]

A PulseAudio server of its own has two null sinks: the piano is played into one, whose monitor is the microphone, and
the orchestra comes out of the other, where it is recorded. The orchestra recording is a tone that rises evenly, so its
frequency at an instant is the orchestra's position then. The program is stopped (SIGSTOP) for a while, as a computer
that does something else stops it, then shares the processor with busy processes of the same priority, and is left alone
for more than a minute. Silence is where less than a twentieth of the tone's level is heard. The error is against the
line that the orchestra followed before; it is back when it sounds within 50 ms of that line for 0.1 s.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from benchmarks.results import Row, add_option, print_rows, record
from follower.testing import SOUND_RATE_HZ, make_sound
from tests.websocket.practice_pieces import put_piece

RATE_HZ: Final = 44100
PIECE_S: Final = 185.0
LOW_HZ, HIGH_HZ = 5000.0, 10000.0
STOPS_S: Final = (0.1, 0.5, 2.0)
APART_S: Final = 8.0
BUSY_S: Final = 12.0
BUSY: Final = 2
"""Processes for each core."""
CALM_S: Final = 75.0
BLOCK: Final = 1024
BACK_WITHIN_S: Final = 0.05
BACK_FOR_S: Final = 0.1
TOLD: Final = re.compile(r"orchestra dropped out|kept ready")


def rising_tone() -> NDArray[np.float32]:
    """Above what the piano plays."""
    t = np.arange(round(PIECE_S * SOUND_RATE_HZ)) / SOUND_RATE_HZ
    phase = 2 * np.pi * (LOW_HZ * t + (HIGH_HZ - LOW_HZ) * t**2 / (2 * PIECE_S))
    return (0.3 * np.sin(phase)).astype(np.float32)


@dataclass(frozen=True)
class Hall:
    """A sound server of its own.

    Attributes:
        env: of programs that use it.
    """

    env: dict[str, str]


@contextlib.contextmanager
def hall(folder: Path) -> Iterator[Hall]:
    """Open a sound server with two null sinks."""
    folder.chmod(0o700)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "DBUS_", "DISPLAY"))}
    env = kept | {
        "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{folder}/native",
        "PULSE_SOURCE": "piano.monitor", "PULSE_SINK": "hall",
    }  # fmt: skip
    server = subprocess.Popen(
        [
            "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
            "--high-priority=no", "-L", f"module-null-sink sink_name=hall rate={RATE_HZ} channels=2",
            "-L", f"module-null-sink sink_name=piano rate={RATE_HZ} channels=1",
            "-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1",
        ],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while (
            b"piano.monitor"
            not in subprocess.run(
                ["pactl", "list", "short", "sources"], env=env, capture_output=True, check=False
            ).stdout
        ):
            if server.poll() is not None:
                raise SystemExit("error: pulseaudio does not run here")
            time.sleep(0.1)
        yield Hall(env)
    finally:
        server.kill()
        server.wait()


class Recorder:
    """Records the hall, with the instant at which each block came."""

    def __init__(self, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [
                "parec", "--raw", "--format=float32le", "--channels=1", f"--rate={RATE_HZ}", "--latency=4096",
                "-d", "hall.monitor",
            ],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.blocks: list[NDArray[np.float32]] = []
        self.came_s: list[float] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while len(data := self._process.stdout.read(4 * BLOCK)) == 4 * BLOCK:
            self.blocks.append(np.frombuffer(data, np.float32))
            self.came_s.append(time.monotonic())

    def sounding_s(self) -> float:
        """How much of what was recorded sounds (s)."""
        loud = sum(float(np.abs(block).max()) > 0.1 for block in self.blocks)
        return loud * BLOCK / RATE_HZ

    def close(self) -> None:
        """Stop recording."""
        self._process.kill()
        self._process.wait()
        self._thread.join()


def heard(recorder: Recorder) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Instants (s, monotonic), the orchestra's positions there (s), and whether it sounds at all."""
    sound = np.concatenate(recorder.blocks)
    # The server's clock is even. A block comes when it was played or later, and where a busy computer lost some, all
    # after them are later by as much: what follows says when a block was played at the latest.
    ends_s = (np.arange(len(recorder.blocks)) + 1) * BLOCK / RATE_HZ
    begun_s = np.minimum.accumulate((np.array(recorder.came_s) - ends_s)[::-1])[::-1]
    window, size = np.hanning(2 * BLOCK), 16 * BLOCK
    hz = np.fft.rfftfreq(size, 1 / RATE_HZ)
    band = (hz > LOW_HZ - 200) & (hz < HIGH_HZ + 200)
    at_s, position_s, sounding = [], [], []
    for first in range(0, len(sound) - 2 * BLOCK, BLOCK // 2):
        spectrum = np.abs(np.fft.rfft(sound[first : first + 2 * BLOCK] * window, size)) * band
        at_s.append(begun_s[(first + BLOCK) // BLOCK] + (first + BLOCK) / RATE_HZ)
        k = int(np.argmax(spectrum[1:-1])) + 1
        left, top, right = np.log(spectrum[k - 1 : k + 2] + 1e-9)
        peak = k + 0.5 * (left - right) / min(left - 2 * top + right, -1e-9)
        position_s.append((peak * RATE_HZ / size - LOW_HZ) * PIECE_S / (HIGH_HZ - LOW_HZ))
        middle = sound[first + BLOCK // 2 : first + 3 * BLOCK // 2]
        sounding.append(float(np.sqrt(np.mean(middle**2))) > 0.05 * 0.3 / np.sqrt(2))
    return np.array(at_s), np.array(position_s), np.array(sounding)


def told_within(lines: list[tuple[float, str]], begun_s: float, ended_s: float) -> str:
    """When after an instant it was told first, or that it was not."""
    found = [at_s for at_s, text in lines if TOLD.search(text) and begun_s <= at_s < ended_s]
    return f"{found[0] - begun_s:.1f} s" if found else "not told"


def measure(folder: Path) -> list[Row]:
    """A row for each thing that happened."""
    put_piece(folder / "caches", "tone", PIECE_S, rising_tone())
    piano = soxr.resample(make_sound(PIECE_S), SOUND_RATE_HZ, RATE_HZ)
    soundfile.write(folder / "p.wav", piano, RATE_HZ, "PCM_16")
    words = ["live", str(folder / "caches" / "tone"), "--device", "pulse", "--rate", str(RATE_HZ), "--play"]
    lines: list[tuple[float, str]] = []
    happened: list[tuple[str, float, float]] = []
    with hall(folder) as opened:
        recorder = Recorder(opened.env)
        program = subprocess.Popen(
            [sys.executable, "-m", "follower", *words, "--play-device", "pulse", "--start", "0"],
            env=opened.env | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert program.stderr is not None
        ready = threading.Event()

        def read() -> None:
            for line in program.stderr or ():
                lines.append((time.monotonic(), line.strip()))
                if "listening at" in line:
                    ready.set()

        reader = threading.Thread(target=read)
        reader.start()
        player = None
        try:
            assert ready.wait(120.0), "the program does not listen"
            time.sleep(4.0)
            player = subprocess.Popen(["paplay", "-d", "piano", str(folder / "p.wav")], env=opened.env)
            while recorder.sounding_s() < 2 * APART_S:
                time.sleep(0.5)
            happened.append(("nothing", time.monotonic() - APART_S, time.monotonic()))
            for stop_s in STOPS_S:
                begun_s = time.monotonic()
                program.send_signal(signal.SIGSTOP)
                time.sleep(stop_s)
                program.send_signal(signal.SIGCONT)
                happened.append((f"the program is stopped for {stop_s:g} s", begun_s, time.monotonic()))
                time.sleep(APART_S)
            begun_s = time.monotonic()
            busy = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(BUSY * len(os.sched_getaffinity(0)))
            ]
            time.sleep(BUSY_S)
            for one in busy:
                one.kill()
                one.wait()
            happened.append((f"{len(busy)} busy processes for {BUSY_S:g} s", begun_s, time.monotonic()))
            time.sleep(CALM_S)
            happened.append((f"calm for {CALM_S:g} s", time.monotonic() - CALM_S, time.monotonic()))
            program.send_signal(signal.SIGINT)
            program.wait(30.0)
        finally:
            for process in (player, program):
                if process is not None:
                    process.kill()
                    process.wait()
            reader.join()
            recorder.close()
    for at_s, text in lines:
        if not text.startswith("ALSA lib"):
            print(f"{at_s - happened[0][1]:8.1f} s  {text}", file=sys.stderr)
    sound = heard(recorder)
    return [row(what, begun_s, ended_s, sound, lines) for what, begun_s, ended_s in happened]


def row(
    what: str,
    begun_s: float,
    ended_s: float,
    sound: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]],
    lines: list[tuple[float, str]],
) -> Row:
    """What was heard and told of one thing that happened."""
    at_s, position_s, sounding = sound
    step_s = float(at_s[1] - at_s[0])
    after_s = 0.0 if what == "nothing" else 0.6 * APART_S
    told = told_within(lines, begun_s, ended_s + after_s)
    if what.startswith("calm"):
        during = (at_s >= begun_s + 0.1 * CALM_S) & (at_s < ended_s)
        return {"what": what, "silent_s": round(step_s * float(np.sum(~sounding & during)), 2), "told_after": told}
    before = (at_s > begun_s - 4.0) & (at_s < begun_s - 0.2) & sounding
    line = np.poly1d(np.polyfit(at_s[before], position_s[before], 1))
    during = (at_s >= begun_s) & (at_s < ended_s + 0.6 * APART_S)
    # A cross-fade is two tones for an instant, and neither is where the orchestra is.
    error_s = np.where(sounding, median_filter(position_s - line(at_s), 5), np.inf)
    right = np.abs(error_s) < BACK_WITHIN_S
    needed = round(BACK_FOR_S / step_s)
    lasts = np.convolve(right, np.ones(needed), "full")[: len(right)] >= needed
    back = np.flatnonzero(lasts & (at_s > ended_s + BACK_FOR_S))
    later = during & sounding & (at_s > (ended_s + 0.5 if after_s else begun_s))
    return {
        "what": what,
        "silent_s": round(step_s * float(np.sum(~sounding & during)), 2),
        "back_s": round(max(float(at_s[back[0]]) - ended_s - BACK_FOR_S, 0.0), 2) if after_s and len(back) else None,
        "largest_error_after_ms": round(1e3 * float(np.max(np.abs(error_s[later]), initial=0.0))),
        "told_after": told,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="under-load-") as scratch:
        rows = measure(Path(scratch))
    print_rows(rows)
    if args.record:
        record("playback_under_load", rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
