from __future__ import annotations

import numpy as np
import pytest

from follower.playback.clock import ClockModel


@pytest.mark.parametrize("ppm", [-200, 0, 200])
def test_the_clock_is_found_through_jitter(ppm: int) -> None:
    rng = np.random.default_rng(1)
    clock = ClockModel(44100)

    def true_s(sample: int) -> float:
        return 100.0 + sample / 44100 * (1 + ppm * 1e-6)

    worst_s, sample = 0.0, 0
    for k in range(20_000):
        clock.stamp(sample, true_s(sample) + rng.uniform(0.0, 0.004))
        if k > 8_000:
            worst_s = max(worst_s, abs(clock.time_s(sample + 4096) - true_s(sample + 4096) - 0.002))
        sample += 512
    assert worst_s < 0.001
    assert clock.drift_ppm == pytest.approx(ppm, abs=15)


def test_a_step_of_the_time_is_taken_over_and_the_speed_kept() -> None:
    clock = ClockModel(1000)
    for k in range(3000):
        clock.stamp(10 * k, 0.01 * k * 1.0001)
    before = clock.drift_ppm
    clock.stamp(30_000, 33.0)
    assert clock.time_s(30_000) == pytest.approx(33.0)
    assert clock.drift_ppm == before


def test_a_counter_that_begins_anew_is_followed() -> None:
    clock = ClockModel(1000)
    clock.stamp(5000, 7.0)
    clock.stamp(5010, 7.01)
    clock.stamp(0, 9.0)
    assert clock.time_s(100) == pytest.approx(9.1)


def test_stamps_that_say_nothing_are_left_out() -> None:
    clock = ClockModel(1000)
    clock.stamp(0, float("nan"))
    assert not clock.known
    clock.stamp(0, 1.0)
    clock.stamp(0, 1.4)
    assert clock.time_s(0) == 1.0


@pytest.mark.parametrize("step_s", [0.04, -0.09])
def test_a_small_step_is_taken_over_soon(step_s: float) -> None:
    rng = np.random.default_rng(2)
    clock = ClockModel(48000)
    seconds, block = 60.0, 480

    def true_s(sample: int) -> float:
        return sample / 48000 + (step_s if sample > 30 * 48000 else 0.0)

    for sample in range(0, round(seconds * 48000), block):
        clock.stamp(sample, true_s(sample) + rng.uniform(0.0, 0.004))
        if sample > 31 * 48000:
            assert clock.time_s(sample) == pytest.approx(true_s(sample), abs=0.006)


def test_late_stamps_are_no_step() -> None:
    rng = np.random.default_rng(3)
    clock = ClockModel(48000)
    for k in range(6000):
        busy = 3000 <= k < 3400 and rng.random() < 0.9
        clock.stamp(480 * k, 0.01 * k + (rng.uniform(0.02, 0.05) if busy else 0.0))
        assert abs(clock.time_s(480 * k) - 0.01 * k) < 0.035, "as far as the loop follows, not as far as they are late"
    assert clock.time_s(480 * 6000) == pytest.approx(60.0, abs=0.002)


def test_a_burst_of_early_stamps_is_followed_at_once() -> None:
    """A driver that recovers asks for much at one instant: each stamp is earlier than the one before foretold."""
    clock = ClockModel(8000)
    for k in range(200):
        clock.stamp(256 * k, 0.032 * k)
    for k in range(200, 215):
        clock.stamp(256 * k, 0.032 * 200)
    clock.stamp(256 * 215, 0.032 * 201)
    assert clock.time_s(256 * 216) == pytest.approx(0.032 * 202, abs=0.001)
    assert clock.drift_ppm == pytest.approx(0.0, abs=1.0), "it says nothing about the speed"
