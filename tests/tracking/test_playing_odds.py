"""When a silence is taken for a stop: where the mix's piano plays, and not where it rests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.base import Belief
from follower.kernels import sections as kernels
from follower.tracking.playing_odds import Listening, PlayingOdds, Sections
from tests.naive import sections as naive

HOP_S = 512 / 22050
NOTE = Belief(0.0, 1.0, 0.9, 1.0, 0.0, attack=0.5)
RINGING = Belief(0.0, 1.0, 0.9, 1.0, 0.0, attack=0.05)
SILENT = Belief(0.0, 1.0, 0.9, 0.0, 0.0)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_kernel_is_what_summing_over_all_courses_gives(n: int) -> None:
    log_odds = np.random.default_rng(n).normal(0, 2, n)
    leaves, enters = np.empty((2, n))
    kernels.transitions(log_odds, 0.1, 0.3, leaves, enters)
    np.testing.assert_allclose([leaves, enters], naive.transitions(log_odds, 0.1, 0.3), rtol=1e-10)


def mix(seconds: float, *rests: tuple[float, float]) -> NDArray[np.float64]:
    """Piano activity of a mix with rests from second to second."""
    at = HOP_S * np.arange(round(seconds / HOP_S))
    activity = np.full(len(at), 0.95)
    for begin, end in rests:
        activity[(at >= begin) & (at < end)] = 0.05
    return activity


def silence(activity: NDArray[np.float64], from_s: float, seconds: float, after: Belief = NOTE) -> list[PlayingOdds]:
    """A note at a position of the mix, and what comes after it: silence."""
    listening = Listening(Sections(activity, HOP_S), HOP_S)
    listening.update(NOTE, from_s, 1.0, 1.0)
    out = [listening.update(after, from_s, 1.0, 1.0)] if after is not NOTE else []
    return out + [listening.update(SILENT, from_s, 1.0, 1.0) for _ in range(round(seconds / HOP_S))]


def seconds_to_stop(odds: list[PlayingOdds]) -> float:
    return next((HOP_S * k for k, o in enumerate(odds, 1) if o.stopped > 0), np.inf)


def test_a_silence_in_the_mixs_playing_is_a_stop() -> None:
    assert 0.2 < seconds_to_stop(silence(mix(100), 50.0, 3.0)) < 1.5


def test_a_silence_in_the_mixs_rest_is_none_until_the_missed_entry() -> None:
    activity = mix(100, (50.0, 62.0))
    odds = silence(activity, 49.8, 30.0)
    assert seconds_to_stop(odds) > 11.0
    assert odds[round(6 / HOP_S)].resting > 0.9
    assert seconds_to_stop(odds) < 12.2 + 6.0


def test_a_short_gap_is_no_stop() -> None:
    assert seconds_to_stop(silence(mix(100), 50.0, 0.3)) == np.inf


def test_a_note_that_rings_on_is_no_stop() -> None:
    listening = Listening(Sections(mix(100), HOP_S), HOP_S)
    listening.update(NOTE, 50.0, 1.0, 1.0)
    odds = [listening.update(RINGING, 50.0 + HOP_S * k, 1.0, 1.0) for k in range(200)]
    assert max(o.stopped for o in odds) < -3


def test_a_note_ends_the_doubt() -> None:
    listening = Listening(Sections(mix(100), HOP_S), HOP_S)
    listening.update(NOTE, 50.0, 1.0, 1.0)
    fresh = listening.update(NOTE, 50.0, 1.0, 1.0)
    for _ in range(100):
        doubt = listening.update(SILENT, 50.0, 1.0, 1.0)
    assert doubt.stopped > fresh.stopped + 3
    assert listening.update(NOTE, 50.0, 1.0, 1.0) == fresh


def test_the_level_of_a_piece_whose_piano_is_hard_to_tell_does_not_make_it_rest() -> None:
    faint = np.full(round(100 / HOP_S), 0.4)
    assert seconds_to_stop(silence(faint, 50.0, 3.0)) < 1.5


def test_the_expected_place_moves_on_through_a_silence() -> None:
    odds = silence(mix(100), 50.0, 2.0)
    assert odds[-1].position_s == pytest.approx(52.0, abs=0.05)
    assert silence(mix(100), 99.9, 5.0)[-1].position_s > 100  # beyond the end, without harm
