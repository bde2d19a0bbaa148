"""Players without sound and a sound card without hardware, for the tests of follower.playback in simulated time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, State
from follower.playback.control import ControlConfig
from follower.playback.player import OrchestraPlayer
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Committed, Stretcher

HOP_SAMPLES = 512
LIVE_RATE_HZ = 22050


class PositionStretcher:
    """Plays the position itself (s in the recording) instead of sound, with a real stretcher's delay of the rate."""

    def __init__(self, recording: OrchestraRecording, delay_s: float = 0.046) -> None:
        self._rate_hz = recording.sample_rate_hz
        self._delay = round(delay_s * recording.sample_rate_hz)
        self._position = 0.0
        self._ahead = 0.0
        self._runs: deque[list[float]] = deque()

    def start(self, source_sample: float, rate: float) -> None:
        self._position = source_sample
        self._runs = deque([[self._delay, rate]])
        self._ahead = self._delay * rate

    def pull(self, n: int, rate: float) -> NDArray[np.float32]:
        self._runs.append([n, rate])
        self._ahead += n * rate
        out = np.empty((n, 1), np.float32)
        at = 0
        while at < n:
            run = self._runs[0]
            take = int(min(run[0], n - at))
            out[at : at + take, 0] = (self._position + run[1] * np.arange(take)) / self._rate_hz
            self._position += take * run[1]
            self._ahead -= take * run[1]
            run[0] -= take
            at += take
            if run[0] == 0:
                self._runs.popleft()
        return out

    @property
    def source_sample(self) -> float:
        return self._position

    @property
    def committed(self) -> Committed:
        return Committed(float(self._delay), self._position + self._ahead)


def silent_recording(
    duration_s: float, sample_rate_hz: int = 8000, attacks_s: tuple[float, ...] = ()
) -> OrchestraRecording:
    """A recording that costs no memory: one zero, seen again and again."""
    samples = np.broadcast_to(np.zeros((1, 1), np.float32), (1, round(duration_s * sample_rate_hz)))
    attacks = np.array([round(a * sample_rate_hz) for a in attacks_s], np.int64)
    return OrchestraRecording(samples, sample_rate_hz, attacks)


def position_player(recording: OrchestraRecording, config: ControlConfig | None = None) -> OrchestraPlayer:
    def make() -> Stretcher:
        return PositionStretcher(recording)

    return OrchestraPlayer(recording, make, config)


def position(
    at_s: float,
    position_s: float | None,
    rate: float = 1.0,
    state: State = State.FOLLOWING,
    confidence: float = 0.9,
    capture_time_s: float | None = None,
) -> Position:
    sample = round(at_s * LIVE_RATE_HZ)
    return Position(
        sample // HOP_SAMPLES, sample, LIVE_RATE_HZ, position_s, None, rate, confidence, state, capture_time_s
    )
