"""What every stretcher must do: the same tests for all back ends of `follower.playback.stretcher.STRETCHERS`."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import hilbert

from follower.errors import ConfigError
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Stretcher
from follower.playback.stretchers import STRETCHERS, make_stretcher

RATE_HZ = 44100
QUANTUM = 256
CONSTANT_RATES = (0.4, 0.8, 1.0, 1.25, 2.5)
SWEEPS: dict[str, Callable[[float], float]] = {
    "slow half": lambda t: 0.65 + 0.25 * float(np.sin(2 * np.pi * t / 4)),
    "fast half": lambda t: 1.75 + 0.65 * float(np.sin(2 * np.pi * t / 4)),
}


def constant(rate: float) -> Callable[[float], float]:
    return lambda _t: rate


THROUGH_UNITY: Callable[[float], float] = lambda t: 1.0 + 0.6 * float(np.sin(2 * np.pi * t / 3))  # noqa: E731


@pytest.fixture(params=sorted(STRETCHERS))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def play(
    stretcher: Stretcher, start: float, rate: Callable[[float], float], duration_s: float, rate_hz: int = RATE_HZ
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Samples (n, channels), and the source position before each quantum as rows (output sample, source sample)."""
    stretcher.start(start, rate(0.0))
    out, positions, n = [], [], 0
    while n < duration_s * rate_hz:
        positions.append((n, stretcher.source_sample))
        out.append(stretcher.pull(QUANTUM, rate(n / rate_hz)))
        n += QUANTUM
    return np.concatenate(out), np.array(positions)


def tone(frequency_hz: float, duration_s: float = 8.0) -> OrchestraRecording:
    t = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    return OrchestraRecording.from_samples((0.3 * np.sin(2 * np.pi * frequency_hz * t)).astype(np.float32), RATE_HZ)


def tone_quality(y: NDArray[np.float32], frequency_hz: float) -> tuple[float, float, float]:
    """Detuning (cents), amplitude modulation (dB re the level), level (dB re the original), edges left out."""
    analytic = hilbert(y[:, 0].astype(np.float64))[RATE_HZ // 4 : -RATE_HZ // 4]
    envelope, phase = np.abs(analytic), np.unwrap(np.angle(analytic))
    found_hz = (phase[-1] - phase[0]) / (len(phase) - 1) * RATE_HZ / (2 * np.pi)
    modulation = (envelope.max() - envelope.min()) / 2 / envelope.mean()
    return (
        1200 * float(np.log2(found_hz / frequency_hz)),
        20 * float(np.log10(max(modulation, 1e-9))),
        20 * float(np.log10(envelope.mean() / 0.3)),
    )


@pytest.mark.parametrize("frequency_hz", [110.3, 1234.5])
@pytest.mark.parametrize("rate", [*CONSTANT_RATES, *SWEEPS])
def test_a_steady_tone_keeps_pitch_and_level(backend: str, rate: float | str, frequency_hz: float) -> None:
    curve = SWEEPS[rate] if isinstance(rate, str) else constant(float(rate))
    y, _ = play(make_stretcher(backend, tone(frequency_hz)), RATE_HZ, curve, 2.0)
    cents, modulation_db, level_db = tone_quality(y, frequency_hz)
    assert abs(cents) < 2.0
    assert modulation_db < -30.0
    assert abs(level_db) < 0.5


@pytest.mark.parametrize("frequency_hz", [110.3, 440.7, 5000.0])
def test_a_tone_survives_the_rate_falling_through_one(backend: str, frequency_hz: float) -> None:
    y, _ = play(make_stretcher(backend, tone(frequency_hz)), RATE_HZ, THROUGH_UNITY, 3.0)
    cents, modulation_db, _ = tone_quality(y, frequency_hz)
    assert abs(cents) < 2.0
    assert modulation_db < -40.0


def clicks(duration_s: float = 9.0) -> tuple[OrchestraRecording, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    x = (1e-4 * rng.standard_normal(int(duration_s * RATE_HZ))).astype(np.float32)
    at = np.arange(int(0.53 * RATE_HZ), len(x) - RATE_HZ, int(0.31 * RATE_HZ))
    shape = 0.8 * np.hanning(40) * np.sin(1.2 * np.arange(40))
    for c in at:
        x[c : c + 40] += shape.astype(np.float32)
    return OrchestraRecording.from_samples(x, RATE_HZ), at


@pytest.mark.parametrize("rate", [*CONSTANT_RATES, "through unity"])
def test_clicks_come_when_the_source_position_passes_them(backend: str, rate: float | str) -> None:
    curve = THROUGH_UNITY if isinstance(rate, str) else constant(float(rate))
    recording, at = clicks()
    y, positions = play(make_stretcher(backend, recording), RATE_HZ, curve, 2.5)
    errors_ms = []
    reach = int(0.04 * RATE_HZ)
    for expected in np.interp(at, positions[:, 1], positions[:, 0], left=-1, right=-1):
        if not reach < expected < len(y) - 2 * reach:
            continue
        first = int(expected) - reach
        energy = np.convolve(y[first : first + 2 * reach, 0] ** 2, np.ones(40), "same")
        errors_ms.append(1e3 * (first + int(np.argmax(energy)) - 20 - expected) / RATE_HZ)
    assert len(errors_ms) >= 3
    assert np.abs(errors_ms).max() < 6.0


def test_the_own_stretcher_keeps_attacks_whole() -> None:
    recording, at = clicks()
    np.testing.assert_allclose(recording.attacks, at, atol=0.002 * RATE_HZ)
    for rate in (0.4, 1.3, 2.5):
        y, positions = play(make_stretcher("vocoder", recording), RATE_HZ, constant(rate), 2.0)
        expected = np.interp(at, positions[:, 1], positions[:, 0], left=-1, right=-1)
        expected = expected[(expected > 2000) & (expected < len(y) - 4000)].astype(int)
        assert min(np.abs(y[k - 400 : k + 400]).max() for k in expected) > 0.6 * np.abs(recording.samples).max()


def test_rate_one_gives_the_recording_itself(backend: str) -> None:
    rng = np.random.default_rng(1)
    x = (0.1 * rng.standard_normal((2, 2 * RATE_HZ))).astype(np.float32)
    y, positions = play(
        make_stretcher(backend, OrchestraRecording.from_samples(x, RATE_HZ)), 30000.0, constant(1.0), 0.5
    )
    expected = x[:, 30000 : 30000 + len(y)].T
    assert np.abs(y - expected).max() < 1e-3
    np.testing.assert_allclose(positions[:, 1] - positions[:, 0], 30000.0, atol=1.0)


def test_any_chunking_gives_the_same_samples(backend: str) -> None:
    recording, _ = clicks(3.0)
    whole, parts = make_stretcher(backend, recording), make_stretcher(backend, recording)
    whole.start(1000.0, 1.2)
    parts.start(1000.0, 1.2)
    sizes = list(itertools.islice(itertools.cycle([0, 1, 7, 333, 64]), 60))
    expected = whole.pull(sum(sizes), 1.2)
    np.testing.assert_array_equal(np.concatenate([parts.pull(n, 1.2) for n in sizes]), expected)


def test_start_forgets_what_was_played(backend: str) -> None:
    recording, _ = clicks(3.0)
    used, fresh = make_stretcher(backend, recording), make_stretcher(backend, recording)
    play(used, 5000.0, constant(1.7), 0.4)
    again, _ = play(used, 40000.0, constant(0.8), 0.4)
    once, _ = play(fresh, 40000.0, constant(0.8), 0.4)
    np.testing.assert_array_equal(again, once)


def test_a_rate_acts_from_the_committed_point_on(backend: str) -> None:
    recording = OrchestraRecording.from_samples(np.zeros(4 * RATE_HZ, np.float32), RATE_HZ)
    stretcher = make_stretcher(backend, recording)
    play(stretcher, 20000.0, constant(0.8), 0.3)
    ahead, position = stretcher.committed
    assert 0 < ahead < 0.12 * RATE_HZ
    stretcher.pull(round(ahead), 2.0)
    # What had been decided is played as decided, whatever is asked for now.
    assert abs(stretcher.source_sample - position) < 0.003 * RATE_HZ


def test_beyond_the_ends_there_is_silence(backend: str) -> None:
    recording = OrchestraRecording.from_samples(np.full(RATE_HZ // 4, 0.2, np.float32), RATE_HZ)
    stretcher = make_stretcher(backend, recording)
    y, _ = play(stretcher, RATE_HZ / 4 + 20000.0, constant(1.0), 0.2)
    assert float(np.abs(y).max()) == 0.0
    y, _ = play(stretcher, -40000.0, constant(1.0), 0.2)
    assert float(np.abs(y).max()) < 1e-6


def test_memory_does_not_grow(backend: str) -> None:
    stretcher = make_stretcher(backend, tone(440.0, 2.0))
    play(stretcher, 0.0, constant(1.1), 1.0)
    lists = [v for v in vars(stretcher).values() if isinstance(v, list)]
    before = [len(v) for v in lists]
    play(stretcher, 0.0, constant(1.1), 4.0)
    after = [len(v) for v in vars(stretcher).values() if isinstance(v, list)]
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 8


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match="choose from vocoder"):
        make_stretcher("tape", tone(440.0, 0.1))
