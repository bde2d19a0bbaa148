"""What is asked of the mix's piano activity."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.tracking.piano_activity import ActivityConfig, MissedPiano, PianoActivity

HOP_S = 512 / 22050
REST = (20.0, 30.0)


@pytest.fixture
def activity() -> PianoActivity:
    """Piano for a minute, but for a rest and a chord in it."""
    at = HOP_S * np.arange(round(60 / HOP_S))
    chord = (at > 25.0) & (at < 25.7)
    return PianoActivity(np.where((at > REST[0]) & (at < REST[1]) & ~chord, 0.0, 1.0), HOP_S)


def stopped_after_s(activity: PianoActivity, from_s: float, at_most_s: float, standing: bool = False) -> float:
    """Seconds of silence after a last note until the pianist has stopped; inf if not within `at_most_s`."""
    missed = MissedPiano(activity, HOP_S)
    for hop in range(1, round(at_most_s / HOP_S) + 1):
        missed.update(hop * HOP_S, from_s if standing else from_s + hop * HOP_S)
        if missed.stopped:
            return hop * HOP_S
    return math.inf


def test_piano_that_plays_on_is_told_from_piano_that_rests(activity: PianoActivity) -> None:
    assert [activity.goes_on(at_s) for at_s in (10.0, 20.0, 25.2)] == [True, False, False]
    assert [activity.lasting(at_s) for at_s in (10.0, 21.0, 28.8)] == [1.0, 0.0, 0.0]
    assert activity.lasting(25.4) == pytest.approx(0.3 / 0.7, abs=0.05)


def test_a_stop_shows_soon_where_the_piano_plays_and_never_in_its_rest(activity: PianoActivity) -> None:
    assert [activity.expected(at_s) for at_s in (10.0, 19.5, 21.0, 24.0, 29.5)] == [True, False, False, False, True]
    assert stopped_after_s(activity, 10.0, 5.0) < 0.9
    assert stopped_after_s(activity, 10.0, 5.0, standing=True) < 0.9
    assert stopped_after_s(activity, 20.0, 9.9) == math.inf  # the chord within it is no entry
    assert 10.0 < stopped_after_s(activity, 20.0, 15.0) < 10.6


def test_doubtful_piano_takes_longer_and_hardly_any_counts_never(activity: PianoActivity) -> None:
    doubtful, at_tenth = (PianoActivity(np.full(5000, a), HOP_S) for a in (0.6, 0.1))
    assert 2.0 < stopped_after_s(doubtful, 10.0, 20.0) < 6.0
    assert stopped_after_s(at_tenth, 10.0, 100.0) == math.inf
    assert stopped_after_s(activity, 10.0, 1.0) < stopped_after_s(doubtful, 10.0, 20.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.floats(-10, 100))
def test_what_was_missed_is_what_was_gathered_less_what_was_forgotten(courses: list[float], at_s: float) -> None:
    activity = PianoActivity(courses, HOP_S)
    missed, c = MissedPiano(activity, HOP_S), activity.config
    for hop in range(40):
        missed.update(hop * HOP_S, at_s + hop * HOP_S)
    expected = 0.0
    for hop in range(40):
        if hop * HOP_S > c.release_s:
            nats = -HOP_S * math.log(1 - min(activity.lasting(at_s + hop * HOP_S), c.most))
            expected += nats * math.exp(-(39 - hop) * HOP_S / c.memory_s)
    assert missed.nats == pytest.approx(expected, abs=1e-9)
    missed.reset()
    assert missed.nats == 0 and not missed.stopped


@pytest.mark.parametrize("at_s", [-5.0, 0.0, 60.0, 1e6])
def test_every_position_has_an_answer(activity: PianoActivity, at_s: float) -> None:
    assert activity.expected(at_s)
    assert activity.lasting(at_s) == 1.0
    assert activity.goes_on(at_s)


@pytest.mark.parametrize("field", ["expect_s", "memory_s", "ahead_above", "most", "stopped_above", "expect_above"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ActivityConfig(**{field: 0.0})
