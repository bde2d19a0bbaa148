from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.evaluation.beat_errors import live_errors, summarise
from follower.evaluation.behaviour import behaviour, pool_behaviour
from follower.evaluation.calibration import calibration, coverage
from follower.evaluation.estimates import Estimates
from follower.evaluation.jumps import jumps_of_truth
from follower.evaluation.pauses import pauses_of_truth


def _estimates(at: list[float], position: list[float], rate: list[float], confidence: float = math.nan) -> Estimates:
    n = len(at)
    return Estimates.build(np.array(at), np.array(position), np.array(rate), np.full(n, confidence))


Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _steady(seconds: float, offset_s: float = 0.0, rate: float = 1.0) -> Curve:
    """Truth every 50 ms: the orchestra runs at `rate` from `offset_s`."""
    at = np.arange(0, seconds, 0.05)
    return at, offset_s + rate * at


def test_the_newest_estimate_up_to_the_beat_advanced_at_its_rate() -> None:
    estimates = _estimates([1.0, 2.0, 3.0], [10.0, 11.5, 12.0], [1.0, 2.0, 0.5])
    error = live_errors(estimates, np.array([0.9, 1.0, 1.9, 2.5, 4.0]), np.array([0.0, 10.0, 11.0, 12.0, 13.0]))
    # before the first estimate; at it; 10 + .9 - 11; 11.5 + 2 * .5 - 12; 12 + .5 * 1 - 13
    np.testing.assert_allclose(error, [np.inf, 0.0, -0.1, 0.5, -0.5])


def test_rows_without_a_position_are_no_estimates_and_an_unknown_rate_is_one() -> None:
    estimates = Estimates.build(np.array([1.0, 2.0]), np.array([5.0, np.nan]), np.array([np.nan, 3.0]))
    np.testing.assert_array_equal(live_errors(estimates, np.array([3.0]), np.array([0.0])), [7.0])


def test_two_estimates_at_one_instant_the_later_counts() -> None:
    estimates = _estimates([1.0, 1.0], [5.0, 6.0], [1.0, 1.0])
    np.testing.assert_array_equal(live_errors(estimates, np.array([1.0]), np.array([0.0])), [6.0])


def test_no_estimate_at_all() -> None:
    error = live_errors(_estimates([], [], []), np.array([1.0, 2.0]), np.array([0.0, 0.0]))
    summary = summarise(error)
    assert summary.to_json() == {
        "beats": 2, "median_ms": None, "bias_ms": None, "over_50_ms_pct": 100.0, "over_100_ms_pct": 100.0,
        "over_200_ms_pct": 100.0, "over_500_ms_pct": 100.0, "over_1000_ms_pct": 100.0, "over_2000_ms_pct": 100.0,
    }  # fmt: skip
    assert summary.median_ms == math.inf


def test_figures_by_hand() -> None:
    error = np.array([0.04, -0.06, 0.15, -0.3, 0.7, 1.5, 2.5, np.inf])
    summary = summarise(error)
    assert summary.beats == 8
    assert summary.median_ms == 500.0  # between 300 and 700
    assert summary.bias_ms == 150.0  # of -300 -60 40 150 700 1500 2500
    assert summary.over_pct == (87.5, 75.0, 62.5, 50.0, 37.5, 25.0)


def test_a_tolerance_includes_its_own_value() -> None:
    assert summarise(np.array([0.05, 0.1])).over_pct[:2] == (50.0, 0.0)


def test_offline_paths_are_interpolated_and_held_at_the_end() -> None:
    hyp = np.array([[0.0, 1.0, 2.0], [5.0, 7.0, 7.5]])
    at = np.array([0.0, 0.5, 1.5, 2.0, 9.0])
    error = live_errors(Estimates.from_path(hyp), at, np.zeros(5))
    np.testing.assert_allclose(error, np.interp(at, hyp[0], hyp[1]), rtol=1e-15)


def test_coverage_by_hand() -> None:
    error = np.array([0.01, 0.3, 0.6, 3.0, np.inf])
    confidence = np.array([0.95, 0.9, 0.7, 0.2, np.nan])
    rows = {row.confidence: row for row in coverage(error, confidence)}
    everything = rows[0.0]
    assert everything.coverage_pct == 80.0
    assert (everything.over_200_pct, everything.over_500_pct, everything.over_2000_pct) == (75.0, 50.0, 25.0)
    assert (rows[0.9].coverage_pct, rows[0.9].over_200_pct, rows[0.9].over_500_pct) == (40.0, 50.0, 0.0)
    assert rows[0.98].coverage_pct == 0.0
    assert rows[0.98].to_json()["median_ms"] is None


def test_calibration_by_hand() -> None:
    bins = calibration(np.array([0.1, 0.3, 0.2, 0.0, np.inf]), np.array([0.95, 0.91, 1.0, 0.05, 0.5]))
    assert [b.beats for b in bins] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert bins[9].within_share == pytest.approx(2 / 3)
    assert bins[9].mean_confidence == pytest.approx((0.95 + 0.91 + 1.0) / 3)
    assert bins[0].within_share == 1.0


def test_lock_is_when_the_error_stays_small_for_a_second() -> None:
    truth = _steady(10, 100)
    # right for 0.5 s at 1 s, wrong, right for good from 4 s on
    estimates = _estimates([1.0, 1.5, 4.0], [101.0, 150.0, 104.0], [1.0, 1.0, 1.0])
    result = behaviour(estimates, *truth)
    assert result.lock_s == pytest.approx(4.0)
    assert behaviour(_estimates([1.0], [150.0], [1.0]), *truth).lock_s == math.inf


def test_recovery_after_each_jump_of_the_pianist() -> None:
    at = np.concatenate([np.arange(0, 5, 0.05), np.arange(6, 12, 0.05)])
    position = np.where(at < 5, 50 + at, 20 + at)  # back by 31 s in the bar line between 5 and 6 s
    assert jumps_of_truth(at, position).tolist() == [100]
    estimates = _estimates([0.0, 8.0], [50.0, 28.0], [1.0, 1.0])
    result = behaviour(estimates, at, position)
    assert result.recovery_s == (pytest.approx(2.0, abs=0.06),)
    assert (result.jumps, result.false_jumps) == (1, 0)
    assert behaviour(_estimates([0.0], [50.0], [1.0]), at, position).recovery_s == (math.inf,)


def test_a_pause_and_a_short_cut_are_no_jumps() -> None:
    at = np.concatenate([np.arange(0, 5, 0.05), np.arange(9, 12, 0.05)])  # 4 s of pause
    position = np.where(at < 5, at, at - 4) + 1.4 * (at > 2)  # and 1.4 s of the orchestra left out
    assert jumps_of_truth(at, position).tolist() == []
    assert pauses_of_truth(at, position).tolist() == [100]


def test_pauses_are_noticed_and_left() -> None:
    at = np.concatenate([np.arange(0, 5, 0.05), np.arange(9, 12, 0.05)])
    position = np.where(at < 5, at, at - 4)
    estimates = Estimates.build(
        np.array([0.0, 4.9, 6.25, 9.5, 10.0]),
        np.array([0.0, 4.9, 5.0, 9.5, 6.0]),
        np.array([1.0, 0.0, 0.0, 1.0, 1.0]),
        state=np.array(["following", "paused", "paused", "following", "following"]),
    )
    result = behaviour(estimates, at, position)
    assert result.paused_s == (pytest.approx(1.3, abs=0.06),)  # "paused" at 4.9 s is too early to be the answer
    assert result.resumed_s == (pytest.approx(1.0),)  # at 9.5 s it is 4 s off
    asleep = behaviour(_estimates([0.0], [0.0], [1.0]), at, position)
    assert (asleep.paused_s, asleep.resumed_s) == ((math.inf,), (math.inf,))


def test_false_jumps_lead_away_from_the_truth() -> None:
    truth = _steady(20)
    estimates = _estimates([0.0, 5.0, 8.0, 12.0], [0.0, 45.0, 8.0, 12.2], [1.0, 1.0, 1.0, 1.0])
    result = behaviour(estimates, *truth)
    assert (result.jumps, result.false_jumps) == (2, 1)  # away at 5 s, back at 8 s; 0.2 s is a correction
    assert (result.backward_steps, result.backward_worst_ms) == (0, 0.0)


def test_backward_steps_without_jumps() -> None:
    estimates = _estimates([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 0.9, 2.0], [1.0, 0.5, 1.0, 1.0])
    result = behaviour(estimates, *_steady(4))
    assert result.backward_steps == 1
    assert result.backward_worst_ms == pytest.approx(100.0)


def test_rate_error_and_rate_change() -> None:
    at = np.arange(0, 10, 0.02)
    estimates = Estimates.build(at, 1.25 * at, np.full(len(at), 1.0))
    result = behaviour(estimates, *_steady(10, rate=1.25))
    assert result.rate_error_pct == pytest.approx(20.0, abs=1e-6)
    assert result.rate_change_per_s == 0.0
    swinging = Estimates.build(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.2, 0.9]))
    assert behaviour(swinging, *_steady(3)).rate_change_per_s == pytest.approx(0.25)


def test_lost_misses_and_false_alarms() -> None:
    at, position = _steady(10)
    estimates = Estimates.build(
        np.array([0.0, 4.0, 6.0, 8.0]),
        np.array([0.0, 4.0, 60.0, 80.0]),
        np.ones(4),
        state=np.array(["following", "lost", "lost", "following"]),
    )
    result = behaviour(estimates, at, position)
    assert result.lost_missed.pct == pytest.approx(50.0, abs=2)  # wrong 6..10 s, called lost 6..8 s
    assert result.lost_false.pct == pytest.approx(100 * 2 / 6, abs=2)  # right 0..6 s, called lost 4..6 s
    plain = result.to_json()
    assert plain["lost_missed_of"] == 80
    assert plain["lost_missed_pct"] == pytest.approx(50.0, abs=2)


def test_lost_shares_are_pooled_by_time_not_by_scenario() -> None:
    """A scenario that is wrong for a moment must not weigh as much as one that is wrong for ten seconds."""
    long = behaviour(_estimates([0.0], [60.0], [1.0]), *_steady(10))
    short = behaviour(
        Estimates.build(np.array([0.0, 0.5]), np.array([60.0, 0.5]), np.ones(2), state=np.array(["lost", "following"])),
        *_steady(10),
    )
    assert (long.lost_missed.pct, short.lost_missed.pct) == (100.0, 0.0)
    assert pool_behaviour([long, short]).lost_missed.pct == pytest.approx(100 * 200 / 210)


def test_a_jump_of_the_pianist_is_noticed_by_lost_or_by_a_jump() -> None:
    at = np.arange(0, 12, 0.05)
    position = np.where(at < 5, 50 + at, 20 + at)
    times, positions = np.array([0.0, 6.0, 7.0]), np.array([50.0, 56.0, 27.0])
    lost = Estimates.build(times, positions, np.ones(3), state=np.array(["following", "lost", "following"]))
    assert behaviour(lost, at, position).noticed_s == (pytest.approx(1.0),)
    jumped = Estimates.build(times, positions, np.ones(3), state=np.array(["following"] * 3))
    assert behaviour(jumped, at, position).noticed_s == (pytest.approx(2.0),)
    asleep = behaviour(_estimates([0.0], [50.0], [1.0]), at, position)
    assert asleep.noticed_s == (math.inf,)
    assert asleep.to_json()["noticed_s"] == [None]


def test_pooling_sums_counts_and_takes_the_median_lock() -> None:
    parts = [behaviour(_estimates([t], [t], [1.0]), *_steady(10)) for t in (1.0, 2.0, 6.0)]
    pooled = pool_behaviour(parts)
    assert pooled.lock_s == pytest.approx(2.0)
    assert pooled.jumps == 0
    assert pooled.to_json()["lost_missed_pct"] is None
    assert pooled.to_json()["lost_false_pct"] == 0.0
