"""The program in a process of its own, as a person or a supervisor starts and ends it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

from follower.piece.writing import write_piece
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound
from tests.paths import REPOSITORY

WAIT_S = 60.0


@dataclass(frozen=True)
class Stage:
    """A prepared piece and its recordings on disk.

    Attributes:
        cache: folder of the prepared piece.
        piano: recording of the piano.
        orchestra: orchestra recording.
    """

    cache: Path
    piano: Path
    orchestra: Path

    def replay(self, *more: object, speed: str = "max") -> list[str]:
        """Words of a replay."""
        return ["replay", str(self.cache), str(self.piano), "--speed", speed, *map(str, more)]


def set_stage(folder: Path, seconds: float = 8.0) -> Stage:
    """Write a small piece and its recordings."""
    stage = Stage(folder / "caches" / "piece", folder / "p.wav", folder / "o.wav")
    write_piece(replace(make_piece(seconds), path=stage.cache))
    for path in (stage.piano, stage.orchestra):
        soundfile.write(path, make_sound(seconds), SOUND_RATE_HZ)
    return stage


@contextlib.contextmanager
def program(words: list[str], module: str = "follower", **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start the program; it is killed where the test left it running."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), **options.pop("env", {})}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    process = subprocess.Popen([sys.executable, "-m", module, *words], env=environment, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def run(words: list[str], module: str = "follower", **options: Any) -> tuple[int, str, str]:
    """Run the program to its end; return the exit code, standard output and standard error."""
    with program(words, module, **options) as process:
        out, err = process.communicate(timeout=WAIT_S)
        return process.returncode, out or "", err or ""


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for a condition; fail when it takes too long, or the process ends before."""
    pause, deadline_s = threading.Event(), time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it took too long"
        assert process is None or process.poll() is None, "the program ended"
        pause.wait(0.01)  # without taking the processor from those who are waited for
