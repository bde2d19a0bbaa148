"""The control loop against synthetic positions; the player plays positions, so they can be read from its sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import ConfigError
from follower.events import Position, State, StateChange
from follower.playback.control import ControlConfig
from follower.playback.player import HOLD_FADE_S, JUMP_FADE_S
from follower.playback.render import OUTPUT_LATENCY_S, Course, course_of, render
from tests.playback.playback_simulation import HOP_SAMPLES, LIVE_RATE_HZ, position, position_player, silent_recording

HOP_S = HOP_SAMPLES / LIVE_RATE_HZ


def estimates(
    duration_s: float,
    truth: Callable[[float], float | None],
    rate: Callable[[float], float] = lambda _t: 1.0,
    state: Callable[[float], State] = lambda _t: State.FOLLOWING,
) -> list[Position]:
    times = np.arange(1, round(duration_s / HOP_S)) * HOP_S
    return [position(float(t), truth(float(t)), rate(float(t)), state(float(t))) for t in times]


def play(
    positions: Sequence[Position | StateChange],
    duration_s: float,
    recording_s: float = 100.0,
    attacks_s: tuple[float, ...] = (),
) -> tuple[NDArray[np.float32], Course, int, int, int]:
    player = position_player(silent_recording(recording_s, attacks_s=attacks_s))
    blocks = list(render(player, positions, duration_s))
    sound, course = np.concatenate([b.sound for b in blocks]), course_of(blocks)
    return sound, course, player.counts.entries, player.counts.jumps, player.counts.holds


def slope_pct_per_100ms(course: Course) -> NDArray[np.float64]:
    span = round(0.1 / (course.at_s[1] - course.at_s[0]))
    return 100 * np.abs(course.rate[span:] / course.rate[:-span] - 1)


def test_what_is_heard_is_where_the_pianist_is_at_that_instant() -> None:
    sound, course, entries, jumps, _ = play(estimates(20.0, lambda t: 10 + 1.1 * t, lambda _t: 1.1), 20.0)
    at_s = np.arange(len(sound)) / 8000
    late = (at_s > 1.0) & (at_s < 19.5)
    assert np.abs(sound[late, 0] - (10 + 1.1 * at_s[late])).max() < 0.005
    assert (entries, jumps, course.audible_steps()) == (1, 0, 0)


def test_a_tempo_change_is_followed_without_an_audible_step() -> None:
    def truth(t: float) -> float:
        return 10 + t + max(t - 10, 0) * 0.2

    _, course, entries, jumps, _ = play(estimates(25.0, truth, lambda t: 1.0 if t < 10 else 1.2), 25.0)
    error = course.position_s - np.array([truth(t) for t in course.at_s])
    settled = (course.at_s > 12.5) & (course.at_s < 24.5)
    assert np.nanmax(np.abs(error[(course.at_s > 1) & (course.at_s < 24.5)])) < 0.1
    assert np.nanmax(np.abs(error[settled])) < 0.01
    assert slope_pct_per_100ms(course)[50:-50].max() < 5.0
    assert (entries, jumps, course.audible_steps()) == (1, 0, 0)


def test_noise_of_the_estimates_does_not_shake_the_orchestra() -> None:
    rng = np.random.default_rng(2)
    noise = np.convolve(rng.standard_normal(2000), np.ones(20) / 20, "same") * 0.1
    positions = estimates(30.0, lambda t: 10 + t + float(noise[round(t / HOP_S)]))
    _, course, _, jumps, _ = play(positions, 30.0)
    inside = (course.at_s > 1) & (course.at_s < 29.5)
    assert np.std((course.position_s - course.at_s)[inside]) < np.std(noise)
    assert (jumps, course.audible_steps()) == (0, 0)
    assert slope_pct_per_100ms(course)[50:-50].max() < 5.0


def test_a_small_error_is_corrected_and_a_large_one_cut() -> None:
    for step_s, jumps_expected in ((0.2, 0), (-0.2, 0), (3.0, 1), (-3.0, 1)):

        def truth(t: float, step_s: float = step_s) -> float:
            return 20 + t + (step_s if t > 10 else 0.0)

        _, course, _, jumps, _ = play(estimates(20.0, truth), 20.0)
        late = (course.at_s > 13) & (course.at_s < 19.5)
        error = course.position_s - course.at_s - 20 - step_s
        assert np.nanmax(np.abs(error[late])) < 0.02
        # It brakes in time.
        assert np.nanmax((np.sign(step_s) * error)[course.at_s > 10.3]) < 0.03
        assert jumps == jumps_expected


def test_a_short_false_estimate_is_not_followed() -> None:
    positions = estimates(20.0, lambda t: 60.0 + t if 10 < t < 10.2 else 20 + t)
    _, course, _, jumps, _ = play(positions, 20.0)
    inside = (course.at_s > 1) & (course.at_s < 19.5)
    assert jumps == 0
    assert np.nanmax(np.abs(course.position_s - course.at_s - 20)[inside]) < 0.15


def test_an_unsure_estimate_is_not_jumped_to() -> None:
    sure = estimates(10.0, lambda t: 20 + t)
    unsure = [position(p.audio_time_s + 10, 70.0 + p.audio_time_s, confidence=0.2) for p in sure]
    *_, jumps, _ = play(sure + unsure, 20.0)
    assert jumps == 0


def test_a_jump_is_a_cross_fade() -> None:
    sound, course, _, jumps, _ = play(estimates(12.0, lambda t: 20 + t if t < 6 else 70 + t), 12.0)
    assert jumps == 1
    at = int(np.flatnonzero(course.event)[1])
    begin = round(course.at_s[at] * 8000)
    # Within the fade the old voice goes and the new one comes; right after it only the new one is there.
    assert sound[begin - 1, 0] == pytest.approx(course.at_s[at] + 20, abs=0.02)
    end = begin + round(JUMP_FADE_S * 8000)
    assert sound[end + 1, 0] == pytest.approx(course.at_s[at] + 70 + JUMP_FADE_S, abs=0.02)
    assert 0.03 <= JUMP_FADE_S <= 0.08


def test_a_pause_is_a_musical_fade_and_the_restart_is_where_the_pianist_is() -> None:
    def state(t: float) -> State:
        return State.PAUSED if 8 < t < 12 else State.FOLLOWING

    def truth(t: float) -> float:
        return 20 + t if t < 8 else 28.0 if t < 12 else 28 + t - 12

    sound, course, entries, jumps, holds = play(
        estimates(16.0, truth, lambda t: 0.0 if 8 < t < 12 else 1.0, state), 16.0
    )
    level = np.abs(sound[:, 0])
    stops = 8 + OUTPUT_LATENCY_S
    assert level[round((stops - 0.05) * 8000)] > 20
    silent = np.flatnonzero(level[round(stops * 8000) :] == 0)[0] / 8000
    assert 0.2 <= silent <= 0.45
    assert 0.2 <= HOLD_FADE_S <= 0.4
    assert level[9 * 8000 : 12 * 8000].max() == 0
    # The last fade is the one after the last position.
    assert (entries, jumps, holds) == (2, 0, 2)
    restart = course.at_s[np.flatnonzero(course.event)[1]]
    assert 12.0 < restart < 12.4
    late = (course.at_s > restart) & (course.at_s < 15.5)
    assert np.nanmax(np.abs(course.position_s - (28 + course.at_s - 12))[late]) < 0.01


def test_a_restart_has_the_tempo_from_before() -> None:
    # After a pause the follower's rate recovers slowly.
    positions = estimates(
        16.0,
        lambda t: 20 + t if t < 8 else 28.0 if t < 12 else 28 + t - 12,
        lambda t: 1.0 if t < 8 or t > 13.5 else 0.0 if t < 12 else 0.3,
        lambda t: State.PAUSED if 8 < t < 12 else State.FOLLOWING,
    )
    _, course, *_ = play(positions, 16.0)
    assert course.rate[np.flatnonzero(course.event)[1]] >= 0.8


def test_an_entry_waits_for_a_near_attack() -> None:
    positions = estimates(5.0, lambda t: 20 + t)
    _, course, *_ = play(positions, 5.0)
    without = course.position_s[np.flatnonzero(course.event)[0]]
    attack = without + 0.1
    _, course, *_ = play(positions, 5.0, attacks_s=(float(attack),))
    first = course.position_s[np.flatnonzero(course.event)[0]]
    assert attack - 0.03 < first <= attack


def test_the_orchestra_leads_at_its_own_tempo() -> None:
    # The follower's rate is off and its position wanders, but within reason: the orchestra does not care.
    def truth(t: float) -> float:
        return 20 + t + (0.1 * float(np.sin(t)) if t > 5 else 0.0)

    positions = estimates(
        30.0, truth, lambda t: 1.0 if t < 5 else 0.93, lambda t: State.FOLLOWING if t < 5 else State.ORCHESTRA
    )
    _, course, _, jumps, _ = play(positions, 30.0)
    lead = (course.at_s > 7) & (course.at_s < 29)
    np.testing.assert_array_equal(course.rate[lead], 1.0)
    assert jumps == 0


def test_a_short_rest_keeps_the_tempo() -> None:
    positions = estimates(
        12.0, lambda t: 20 + 0.8 * t, lambda _t: 0.8, lambda t: State.ORCHESTRA if 5 < t < 6 else State.FOLLOWING
    )
    _, course, *_ = play(positions, 12.0)
    np.testing.assert_allclose(course.rate[(course.at_s > 2) & (course.at_s < 11.5)], 0.8, atol=0.02)


def test_after_a_long_rest_the_follower_may_find_the_piano_before_it_is_corrected_after() -> None:
    # For half a second after the rest the estimate is a second off, then right: the orchestra was right all along.
    def state(t: float) -> State:
        return State.ORCHESTRA if 5 < t < 15 else State.FOLLOWING

    _, course, _, jumps, _ = play(
        estimates(25.0, lambda t: 20 + t + (1.0 if 13 < t < 15.5 else 0.0), state=state), 25.0
    )
    inside = (course.at_s > 1) & (course.at_s < 24.5)
    assert np.nanmax(np.abs(course.position_s - course.at_s - 20)[inside]) < 0.02
    assert jumps == 0
    # A new position far away is taken even then.
    *_, jumps, _ = play(estimates(25.0, lambda t: (20 if t < 15 else 60) + t, state=state), 25.0)
    assert jumps == 1


def test_lost_coasts_then_falls_silent() -> None:
    positions = estimates(20.0, lambda t: 20 + t, state=lambda t: State.FOLLOWING if t < 5 else State.LOST)
    _, course, _, jumps, holds = play(positions, 20.0)
    coast_s = ControlConfig().coast_s
    playing = np.isfinite(course.position_s)
    assert playing[(course.at_s > 1) & (course.at_s < 5 + coast_s - 0.2)].all()
    assert not playing[course.at_s > 5 + coast_s + 0.2].any()
    assert (jumps, holds) == (0, 1)


def test_a_follower_that_falls_silent_is_like_a_lost_one() -> None:
    _, course, *_ = play(estimates(5.0, lambda t: 20 + t), 20.0)
    assert not np.isfinite(course.position_s[course.at_s > 9]).any()


def test_a_held_orchestra_is_silent_and_comes_back() -> None:
    # A cadenza that the orchestra recording does not have: its position stands still.
    def truth(t: float) -> float:
        return 20 + min(t, 8.0) + max(t - 14, 0.0)

    _, course, entries, jumps, holds = play(estimates(20.0, truth, lambda t: 0.0 if 8 < t < 14 else 1.0), 20.0)
    assert not np.isfinite(course.position_s[(course.at_s > 9) & (course.at_s < 14)]).any()
    assert np.isfinite(course.position_s[(course.at_s > 14.6) & (course.at_s < 19.5)]).all()
    # The last fade is the one after the last position.
    assert (entries, jumps, holds) == (2, 0, 2)


@pytest.mark.parametrize(("recording_s", "plays_out"), [(36.0, True), (90.0, False)])
def test_the_end_of_the_piece_is_played_out_and_a_stop_before_it_is_not(recording_s: float, plays_out: bool) -> None:
    # The end of the stream is a change of state without a position.
    end = StateChange(12 * LIVE_RATE_HZ, LIVE_RATE_HZ, State.ENDED, State.FOLLOWING, "the stream ended")
    _, course, _, _, holds = play([*estimates(12.0, lambda t: 20 + t), end], 12.0, recording_s=recording_s)
    assert course.at_s[-1] < (17.0 if plays_out else 13.0)
    last = float(np.nanmax(course.position_s))
    assert (last > recording_s - 0.05) is plays_out
    assert holds == 1


def test_nothing_plays_before_the_follower_knows() -> None:
    waiting = estimates(5.0, lambda _t: None, state=lambda _t: State.WAITING)
    sound, *_, holds = play(waiting, 5.0)
    assert float(np.abs(sound).max()) == 0.0
    assert holds == 0
    # Nor from estimates that hop about.
    rng = np.random.default_rng(0)
    sound, *_ = play(estimates(5.0, lambda _t: float(rng.uniform(0, 90))), 5.0)
    assert float(np.abs(sound).max()) == 0.0


def test_rendering_twice_gives_the_same_bits() -> None:
    positions = estimates(5.0, lambda t: 20 + 1.2 * t, lambda _t: 1.2)
    np.testing.assert_array_equal(play(positions, 5.0)[0], play(positions, 5.0)[0])


def test_a_bound_outside_its_range_is_refused() -> None:
    with pytest.raises(ConfigError, match="jump_s is -1"):
        ControlConfig(jump_s=-1.0)


def test_audible_steps_are_counted() -> None:
    at_s = np.arange(100, dtype=np.float64) * np.float64(0.01)
    rate: NDArray[np.float64] = np.where(at_s < 0.5, 1.0, 1.1)
    event = np.zeros(100, np.bool_)
    position_s = np.float64(10) + at_s
    assert Course(at_s, position_s, rate, event).audible_steps() == 1
    event[50] = True
    assert Course(at_s, position_s, rate, event).audible_steps() == 0
    assert Course(at_s, position_s, np.ones(100), np.zeros(100, np.bool_)).audible_steps() == 0
    assert Course(*(np.zeros(0),) * 3, np.zeros(0, np.bool_)).audible_steps() == 0
