"""How busy this computer is with following, measured; and whether it can take one session more."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

WINDOW_S: Final = 5.0
"""What is measured is that of the last seconds."""
MAX_BUSY: Final = 0.8
"""Share of the processor that may be used: the rest is for the sockets, and for the busier passages."""
MAX_WAIT_SHARE: Final = 0.7
"""Share of a hop that the 99th percentile of the engines' answers may take before nobody more is let in."""
FIRST_COST: Final = 0.05
"""Cores that a session is taken to need before any was measured; about what one needs on a computer of 2020."""
ENOUGH: Final = 100
"""Answers from which a 99th percentile means something."""


def usable_cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Load(NamedTuple):
    """What was measured in the last seconds.

    Attributes:
        sessions: that were busy.
        busy_cores: cores that engines and server used.
        wait_p99_s: 99th percentile of the time from handing an engine audio to its answer; 0 before enough was seen.
    """

    sessions: int
    busy_cores: float
    wait_p99_s: float


class LoadMeter:
    """Collects what the engines' answers took. Thread-safe.

    Args:
        hop_s: time in which an engine must have done a hop.
        cores: how many there are to use.
        clock: monotonic seconds.
        own_time: processor seconds of this process, for the server's own share.
    """

    def __init__(
        self,
        hop_s: float = 512 / 22050,
        cores: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        own_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._hop_s = hop_s
        self._cores = float(usable_cores()) if cores is None else cores
        self._clock, self._own_time = clock, own_time
        self._answers: deque[tuple[float, int, float, float]] = deque()
        self._own: deque[tuple[float, float]] = deque([(clock(), own_time())])
        self._entered: deque[float] = deque()
        self._lock = threading.Lock()

    def answered(self, session: int, compute_s: float, wait_s: float) -> None:
        """An engine has answered: its processor time, and how long that took in all."""
        now_s = self._clock()
        with self._lock:
            self._answers.append((now_s, session, compute_s, wait_s))
            self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        while self._answers and self._answers[0][0] < now_s - WINDOW_S:
            self._answers.popleft()
        while self._entered and self._entered[0] < now_s - WINDOW_S:
            self._entered.popleft()

    def load(self) -> Load:
        """What the last seconds were like."""
        now_s = self._clock()
        with self._lock:
            self._forget(now_s)
            answers = list(self._answers)
            self._own.append((now_s, self._own_time()))
            while len(self._own) > 2 and self._own[1][0] < now_s - WINDOW_S:
                self._own.popleft()
            (then_s, spent_then_s), (_, spent_s) = self._own[0], self._own[-1]
        own = (spent_s - spent_then_s) / (now_s - then_s) if now_s > then_s else 0.0
        span_s = max(now_s - answers[0][0], 1.0) if answers else 1.0
        engines = sum(a[2] for a in answers) / span_s
        waits = [a[3] for a in answers]
        wait_s = float(np.percentile(waits, 99)) if len(waits) >= ENOUGH else 0.0
        return Load(len({a[1] for a in answers}), engines + own, wait_s)

    def refusal(self) -> str | None:
        """Why a session more would hurt those that run; None when it may come in, and then it is counted."""
        load = self.load()
        cost = load.busy_cores / load.sessions if load.sessions else FIRST_COST
        with self._lock:
            coming = len(self._entered) + 1
        wanted = load.busy_cores + cost * coming
        hint = "try later, or another server; more cores let in more (follower serve --workers)"
        if wanted > MAX_BUSY * self._cores:
            return (
                f"{load.sessions} sessions use {load.busy_cores:.1f} of this computer's {self._cores:g} cores; "
                f"one more would make everybody's positions late; {hint}"
            )
        if load.wait_p99_s > MAX_WAIT_SHARE * self._hop_s:
            return (
                f"engines answer within {1e3 * load.wait_p99_s:.0f} ms (99th percentile) and a hop is "
                f"{1e3 * self._hop_s:.0f} ms: this computer is as busy as it may be; {hint}"
            )
        with self._lock:
            self._entered.append(self._clock())
        return None
