"""The pitch of the orchestra: what is read between samples, how far it moves, and that nothing changes at 0 cents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import hilbert

from follower.kernels import stretch as kernels
from follower.playback.reading_between import TAPS, make_table
from follower.playback.recording import OrchestraRecording
from follower.playback.tuned import MAX_SHIFT_CENTS, TunedStretcher
from follower.playback.vocoder import VocoderStretcher
from tests.naive import stretch as naive

RATE_HZ = 44100
TABLE = make_table()


def tone(hz: float, seconds: float = 6.0) -> OrchestraRecording:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return OrchestraRecording.from_samples((0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32), RATE_HZ)


def frequency_hz(sound: NDArray[np.float32]) -> float:
    phase = np.unwrap(np.angle(hilbert(sound.astype(np.float64))))[RATE_HZ // 4 : -RATE_HZ // 4]
    return float((phase[-1] - phase[0]) / (len(phase) - 1) * RATE_HZ / (2 * np.pi))


@pytest.mark.plain
@given(st.floats(0.0, 0.999), st.floats(0.96, 1.04), st.integers(1, 12))
def test_the_kernel_does_what_the_plain_one_does(fraction: float, step: float, n: int) -> None:
    rng = np.random.default_rng(5)
    samples = rng.standard_normal((80, 2)).astype(np.float32)
    out = np.zeros((n, 2), np.float32)
    kernels.read_between(samples, TAPS + fraction, step, TABLE, out)
    np.testing.assert_allclose(out, naive.read_between(samples, TAPS + fraction, step, TABLE, n), atol=1e-5)


@pytest.mark.plain
@pytest.mark.parametrize("hz", [100.0, 5000.0, 17000.0])
def test_a_tone_read_between_its_samples_is_the_tone(hz: float) -> None:
    t = np.arange(400)
    samples = np.sin(2 * np.pi * hz / RATE_HZ * t).astype(np.float32)[:, np.newaxis]
    out = np.zeros((200, 1), np.float32)
    kernels.read_between(samples, 50.37, 1.013, TABLE, out)
    wanted = np.sin(2 * np.pi * hz / RATE_HZ * (50.37 + 1.013 * np.arange(200)))
    assert np.abs(out[:, 0] - wanted).max() < 2e-3


def test_at_no_shift_the_samples_are_the_stretchers_own() -> None:
    recording = tone(438.0)
    plain, tuned = VocoderStretcher(recording), TunedStretcher(VocoderStretcher(recording))
    for stretcher in (plain, tuned):
        stretcher.start(1000.0, 1.1)
    np.testing.assert_array_equal(
        np.concatenate([tuned.pull(n, 1.1) for n in (1, 0, 255, 256, 300, 7)]), plain.pull(819, 1.1)
    )
    assert tuned.source_sample == pytest.approx(1000.0 + 819 * 1.1)


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("cents", [-MAX_SHIFT_CENTS, 15.74, MAX_SHIFT_CENTS])
def test_the_pitch_moves_and_the_tempo_does_not(cents: float, rate: float) -> None:
    tuned = TunedStretcher(VocoderStretcher(tone(438.0)))
    tuned.shift_cents = cents
    tuned.start(1000.0, rate)
    sound = np.concatenate([tuned.pull(256, rate) for _ in range(500)])[:, 0]
    assert 1200 * np.log2(frequency_hz(sound) / 438.0) == pytest.approx(cents, abs=0.5)
    assert (tuned.source_sample - 1000.0) / (500 * 256) == pytest.approx(rate, rel=2e-3)
    ahead, source = tuned.committed
    assert (source - tuned.source_sample) / ahead == pytest.approx(rate, rel=0.02)


def test_how_it_is_pulled_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    whole, parts = (TunedStretcher(VocoderStretcher(tone(438.0))) for _ in range(2))
    for stretcher in (whole, parts):
        stretcher.shift_cents = 8.0
        stretcher.start(5000.0, 1.0)
    pulled: list[NDArray[np.float32]] = []
    while sum(len(part) for part in pulled) < 4000:
        pulled.append(parts.pull(int(rng.integers(0, 400)), 1.0))
    joined = np.concatenate(pulled)
    # Positions are sums of steps, so that only their last digits differ.
    np.testing.assert_allclose(joined, whole.pull(len(joined), 1.0), atol=1e-5)
