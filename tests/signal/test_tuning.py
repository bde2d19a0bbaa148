"""The tuning of what is played."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.signal.tuning import TuningEstimator, tuning_of

RATE_HZ = 22050


def notes(seconds: float, a4_hz: float, seed: int = 0, stretch: float = 0.0) -> NDArray[np.float32]:
    """Notes of the middle register with partials, a little inharmonic, four a second."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round((seconds + 2) * RATE_HZ))
    t = np.arange(2 * RATE_HZ) / RATE_HZ
    for k in range(round(4 * seconds)):
        hz = a4_hz * 2.0 ** ((rng.integers(48, 80) - 69) / 12)
        partials = sum(np.sin(2 * np.pi * hz * h * (1 + stretch * h * h) * t) / h**1.5 for h in range(1, 6))
        begin = round(k * RATE_HZ / 4)
        out[begin : begin + len(t)] += 0.05 * partials * np.exp(-2.0 * t)
    return out[: round(seconds * RATE_HZ)].astype(np.float32)


@pytest.mark.parametrize("a4_hz", [438.0, 440.0, 442.0, 447.0])
def test_it_finds_the_tuning_of_a_piano(a4_hz: float) -> None:
    estimator = TuningEstimator(RATE_HZ)
    estimator.push(notes(8.0, a4_hz, stretch=2e-4))
    found = estimator.estimate
    assert found is not None and found.error_cents < 3.0
    assert found.cents == pytest.approx(1200 * np.log2(a4_hz / 440.0), abs=2.0)


def test_how_it_is_cut_does_not_matter() -> None:
    sound = notes(6.0, 441.0)
    whole, parts = TuningEstimator(RATE_HZ), TuningEstimator(RATE_HZ)
    whole.push(sound)
    for part in np.array_split(sound, np.sort(np.random.default_rng(1).integers(0, len(sound), 90))):
        parts.push(part)
    assert whole.estimate == parts.estimate
    parts.reset()
    parts.push(sound)
    assert whole.estimate == parts.estimate, "after a reset it is as new"


@pytest.mark.parametrize("sound", ["silence", "noise", "too short"])
def test_where_there_is_no_tuning_none_is_given(sound: str) -> None:
    rng = np.random.default_rng(2)
    if sound == "too short":
        samples = notes(0.6, 440.0)
    else:
        samples = (0.1 * (sound == "noise") * rng.standard_normal(8 * RATE_HZ)).astype(np.float32)
    estimator = TuningEstimator(RATE_HZ)
    estimator.push(samples)
    assert estimator.estimate is None


def test_a_piano_that_is_tuned_anew_is_heard() -> None:
    estimator = TuningEstimator(RATE_HZ)
    estimator.push(notes(10.0, 440.0))
    estimator.push(notes(40.0, 442.0, seed=1))
    found = estimator.estimate
    assert found is not None and found.cents == pytest.approx(7.85, abs=2.0)


def test_a_whole_recording_is_read_in_places() -> None:
    found = tuning_of(notes(30.0, 438.0), RATE_HZ)
    assert found is not None and found.cents == pytest.approx(-7.89, abs=1.5)
