"""Preparations, one after the other, each in a process of its own with low priority."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from follower.protocol.room_messages import JobEntry

KNOWN_FROM = 0.04
"""Share of the work from which the remaining time is estimated."""
NICENESS = 10
END_WITHIN_S = 5.0


@dataclass
class Job:
    """One preparation.

    Attributes:
        piece: name of the piece.
        words: of `offline-prep`.
        state: where it stands.
        stage: what is done now.
        share: of the work, 0..1.
        message: why it failed.
    """

    piece: str
    words: tuple[str, ...]
    state: Literal["waiting", "running", "failed"] = "waiting"
    stage: str = ""
    share: float = 0.0
    message: str = ""
    begun_s: float = 0.0
    cancelled: bool = False
    process: subprocess.Popen[str] | None = field(default=None, repr=False)


class PrepJobs:
    """A queue of preparations and the thread that works through it.

    Args:
        on_change: called after every change, by any thread.
        clock: monotonic seconds.
        program: that prepares; its arguments are `offline-prep`'s.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        program: Sequence[str] = (sys.executable, "-m", "offline_prep"),
    ) -> None:
        self._on_change = on_change
        self._clock = clock
        self._program = tuple(program)
        self._jobs: dict[str, Job] = {}
        self._ready = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def entries(self) -> list[JobEntry]:
        """Where the preparations stand."""
        with self._ready:
            return [
                JobEntry(j.piece, j.state, j.stage, round(j.share, 3), self._remaining_s(j), j.message)
                for j in self._jobs.values()
            ]

    def busy(self, piece: str) -> bool:
        """Whether a piece is being prepared, or waits for it."""
        with self._ready:
            return piece in self._jobs and self._jobs[piece].state != "failed"

    def add(self, piece: str, orchestra: Path, mix: Path, out: Path, mix_orchestra: Path | None) -> None:
        """Prepare a piece when those before are done."""
        words = [str(orchestra), str(mix), "--out", str(out), "--progress-lines", "--force"]
        if mix_orchestra is not None:
            words += ["--mix-orchestra", str(mix_orchestra)]
        with self._ready:
            self._jobs.pop(piece, None)
            self._jobs[piece] = Job(piece, tuple(words))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="preparations", daemon=True)
                self._thread.start()
            self._ready.notify()
        self._on_change()

    def cancel(self, piece: str) -> bool:
        """Give a preparation up, or forget one that failed; return whether there was one."""
        with self._ready:
            job = self._jobs.pop(piece, None)
            if job is None:
                return False
            job.cancelled = True
            process = job.process
        if process is not None:
            _end(process)
        self._on_change()
        return True

    def close(self) -> None:
        """Give everything up; waits for the process, not for long."""
        with self._ready:
            self._closing = True
            jobs = list(self._jobs.values())
            self._jobs.clear()
            self._ready.notify()
        for job in jobs:
            job.cancelled = True
            if job.process is not None:
                _end(job.process)
        if self._thread is not None:
            self._thread.join(END_WITHIN_S)

    def _remaining_s(self, job: Job) -> float | None:
        if job.state != "running" or job.share < KNOWN_FROM:
            return None
        return round((self._clock() - job.begun_s) * (1.0 - job.share) / job.share, 1)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._closing and not any(j.state == "waiting" for j in self._jobs.values()):
                    self._ready.wait()
                if self._closing:
                    return
                job = next(j for j in self._jobs.values() if j.state == "waiting")
                job.state, job.begun_s = "running", self._clock()
            self._on_change()
            failure = self._prepare(job)
            with self._ready:
                if failure and not job.cancelled:
                    job.state, job.message = "failed", failure
                elif self._jobs.get(job.piece) is job:
                    del self._jobs[job.piece]
            self._on_change()

    def _prepare(self, job: Job) -> str:
        """Run the program; return why it failed, or ""."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        try:
            process = subprocess.Popen(
                [*self._program, *job.words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as e:
            return f"the preparation cannot be started: {e.strerror or e}"
        with contextlib.suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        with self._ready:
            job.process = process
            gone = job.cancelled
        if gone:
            _end(process)
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
        reader.start()
        for line in process.stdout or ():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found = json.loads(line)
                stage, share = str(found["stage"]), float(found["share"])
                with self._ready:
                    told = job.stage.partition(":")[0] != stage.partition(":")[0] or share - job.share >= 0.01
                    if told:
                        job.stage, job.share = stage, share
                if told:
                    self._on_change()
        code = process.wait()
        reader.join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        if code == 0:
            return ""
        last = next((line.strip() for line in reversed(errors) if line.strip()), f"it ended with code {code}")
        return last.removeprefix("error: ")[:400]


def _end(process: subprocess.Popen[str]) -> None:
    """End a preparation, which removes what it has half written; kill it when it does not."""
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
