"""What is asked of the mix's piano activity."""

from __future__ import annotations

import numpy as np
import pytest

from follower.errors import ConfigError
from follower.tracking.piano_activity import ActivityConfig, PianoActivity

HOP_S = 512 / 22050
REST = (20.0, 30.0)


@pytest.fixture
def activity() -> PianoActivity:
    """Piano for a minute, but for a rest and a chord in it."""
    at = HOP_S * np.arange(round(60 / HOP_S))
    chord = (at > 25.0) & (at < 25.5)
    return PianoActivity(np.where((at > REST[0]) & (at < REST[1]) & ~chord, 0.0, 1.0), HOP_S)


def test_a_stop_is_expected_nowhere_but_where_the_piano_plays(activity: PianoActivity) -> None:
    assert [activity.expected(at_s) for at_s in (10.0, 19.5, 21.0, 24.0, 29.5)] == [True, False, False, False, True]
    assert [activity.goes_on(at_s) for at_s in (10.0, 20.0, 25.0)] == [True, False, False]


def test_a_gap_is_one_just_before(activity: PianoActivity) -> None:
    assert [activity.gap_before(at_s) for at_s in (20.1, 20.5, 30.0, 30.4)] == [False, True, True, False]


def test_a_chord_in_a_rest_is_no_entry(activity: PianoActivity) -> None:
    assert [activity.entered(at_s) for at_s in (25.4, 30.1, 30.5)] == [False, False, True]
    assert [activity.has_played(at_s) for at_s in (25.5, 31.0, 33.0)] == [False, False, True]


@pytest.mark.parametrize("at_s", [-5.0, 0.0, 60.0, 1e6])
def test_every_position_has_an_answer(activity: PianoActivity, at_s: float) -> None:
    assert activity.expected(at_s)
    assert not activity.gap_before(at_s)
    assert PianoActivity([0.0], 1.0).gap_before(at_s)


@pytest.mark.parametrize("field", ["expect_s", "gap_below"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ActivityConfig(**{field: 0.0})
