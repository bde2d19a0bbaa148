"""benchmarks/signal/bleed_loop.py: what the microphone receives, and what is reported to the canceller."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.events import AudioBlock, Event, Position, State
from follower.playback.recording import OrchestraRecording
from follower.protocol.commands import Command, PlaybackPosition
from tests.paths import BENCHMARKS

SCRIPT = BENCHMARKS / "signal" / "bleed_loop.py"
RATE_HZ = 22050
OFFSET_S = 2.0
"""The orchestra is so much further on than the piano."""


@pytest.fixture(scope="module")
def bleed_loop() -> ModuleType:
    return importlib.import_module("benchmarks.signal.bleed_loop")


class KnowingEngine:
    """Gives the truth every block, and keeps what it receives."""

    sample_rate_hz = RATE_HZ

    def __init__(self) -> None:
        self.received: list[NDArray[np.float32]] = []
        self.reported: list[tuple[float, PlaybackPosition]] = []
        self._sample = 0

    def command(self, command: Command) -> list[Event]:
        assert isinstance(command, PlaybackPosition)
        self.reported.append((self._sample / RATE_HZ, command))
        return []

    def process(self, block: AudioBlock) -> list[Event]:
        assert block.first_sample == self._sample
        self.received.append(block.samples)
        self._sample += len(block.samples)
        position_s = self._sample / RATE_HZ + OFFSET_S
        return [Position(len(self.received), self._sample, RATE_HZ, position_s, None, 1.0, 0.9, State.FOLLOWING)]

    def finish(self) -> list[Event]:
        return []

    @property
    def microphone(self) -> NDArray[np.float64]:
        return np.concatenate(self.received).astype(np.float64)


@pytest.fixture(scope="module")
def piano() -> NDArray[np.float64]:
    return 0.1 * np.random.default_rng(1).standard_normal(5 * RATE_HZ)


@pytest.fixture(scope="module")
def recording() -> OrchestraRecording:
    noise = 0.1 * np.random.default_rng(2).standard_normal(10 * RATE_HZ)
    return OrchestraRecording.from_samples(noise.astype(np.float32), RATE_HZ)


def run(
    bleed_loop: ModuleType, piano: NDArray[np.float64], recording: OrchestraRecording, gain: float, mode: str
) -> KnowingEngine:
    engine = KnowingEngine()
    bleed_loop.closed_loop(engine, piano, recording, gain, mode)
    return engine


def test_with_headphones_the_microphone_receives_the_piano(
    bleed_loop: ModuleType, piano: NDArray[np.float64], recording: OrchestraRecording
) -> None:
    engine = run(bleed_loop, piano, recording, 0.0, "estimates")
    assert len(engine.microphone) > len(piano) - RATE_HZ // 10
    assert np.allclose(engine.microphone, piano[: len(engine.microphone)], atol=1e-6)
    assert engine.reported == []


def test_the_orchestra_arrives_where_the_estimates_put_it(
    bleed_loop: ModuleType, piano: NDArray[np.float64], recording: OrchestraRecording
) -> None:
    engine = run(bleed_loop, piano, recording, 0.5, "off")
    bleed = engine.microphone - piano[: len(engine.microphone)]
    assert np.abs(bleed[: RATE_HZ // 10]).max() < 1e-6, "nobody plays before there is a steady estimate"
    second = slice(2 * RATE_HZ, 4 * RATE_HZ)
    lags_ms = np.arange(-30, 31)
    played = recording.samples[0]
    match = [
        float(np.dot(bleed[second], played[second.start + k : second.stop + k]))
        for k in (OFFSET_S * RATE_HZ - lags_ms * RATE_HZ / 1000).astype(int)
    ]
    # Through the air in 3 ms, and the loudspeaker's own delay.
    assert 0 <= lags_ms[int(np.argmax(np.abs(match)))] <= 8


def test_what_is_reported_is_what_sounds(
    bleed_loop: ModuleType, piano: NDArray[np.float64], recording: OrchestraRecording
) -> None:
    engine = run(bleed_loop, piano, recording, 0.5, "reported")
    assert len(engine.reported) == len(engine.received)
    assert engine.reported[0][1].rate == 0.0
    late = [(at, p) for at, p in engine.reported if at > 2.0]
    assert all(p.rate == pytest.approx(1.0, abs=0.05) for _, p in late)
    assert all(p.orchestra_time_s == pytest.approx(at + OFFSET_S, abs=0.02) for at, p in late)
    off = run(bleed_loop, piano, recording, 0.5, "off")
    assert [p.rate for _, p in off.reported] == [0.0]


def test_a_loudspeaker_does_not_mind_the_blocks(bleed_loop: ModuleType, piano: NDArray[np.float64]) -> None:
    whole = bleed_loop.Loudspeaker(RATE_HZ).process(piano)
    speaker = bleed_loop.Loudspeaker(RATE_HZ)
    parts = [speaker.process(piano[a : a + 700]) for a in range(0, len(piano), 700)]
    assert np.allclose(np.concatenate(parts), whole, atol=1e-9)
    assert np.sqrt(np.mean(whole[:20] ** 2)) < 0.05 * np.sqrt(np.mean(whole**2)), "sound takes time"
