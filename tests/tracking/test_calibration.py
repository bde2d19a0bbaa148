"""Confidence against what came true, on beats of performances drawn at random from those it was fitted on.

`python -m benchmarks.tracking.confidence_fit ... --record` writes the rows: evidence, the map's confidence, the state
that was reported and the error in the orchestra recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.events import State
from follower.tracking.confidence import FOLLOWING_MIN, confidence
from follower.tracking.evidence import Evidence
from tests.paths import REPOSITORY

WITHIN_S = 0.2
FAR_S = 1.0


@dataclass(frozen=True)
class Beats:
    """Confidence, state and error of each beat."""

    sure: NDArray[np.float64]
    state: NDArray[np.str_]
    error_s: NDArray[np.float64]


@pytest.fixture(scope="module")
def beats() -> Beats:
    with np.load(REPOSITORY / "tests" / "data" / "confidence_rows.npz") as data:
        evidence = [Evidence(*row) for row in data["evidence"].astype(np.float64).tolist()]
        maps, state, error_s = data["map_confidence"], data["state"], data["error_s"].astype(np.float64)
    rows = zip(evidence, maps.tolist(), state.tolist(), strict=True)
    return Beats(np.array([confidence(e, m, State(s)) for e, m, s in rows]), state, error_s)


def test_a_confidence_is_how_often_it_comes_true(beats: Beats) -> None:
    """To 4 %, and twice the spread that so few beats leave."""
    within = beats.error_s <= WITHIN_S
    for low, high in ((0.0, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.0)):
        inside = (beats.sure >= low) & (beats.sure < high)
        n = int(inside.sum())
        assert n >= 50
        expected = float(beats.sure[inside].mean())
        allowed = 0.04 + 2 * np.sqrt(expected * (1 - expected) / n)
        assert abs(float(within[inside].mean()) - expected) < allowed, (low, high)


def test_sure_estimates_are_right(beats: Beats) -> None:
    surest = beats.sure >= 0.95
    assert surest.mean() > 0.5
    assert np.mean(beats.error_s[surest] <= WITHIN_S) >= 0.97


def test_sure_estimates_are_far_off_less_often(beats: Beats) -> None:
    far = beats.error_s > FAR_S
    assert np.mean(far[beats.sure >= 0.95]) < 0.2 * np.mean(far[beats.sure < 0.8])


def test_what_is_lost_is_right_less_often_than_what_is_followed(beats: Beats) -> None:
    within, lost, followed = beats.error_s <= WITHIN_S, beats.state == "lost", beats.state == "following"
    assert lost.sum() >= 30
    assert np.mean(within[lost]) < 0.75 * np.mean(within[followed])
    assert np.mean(beats.error_s[lost] > FAR_S) > 5 * np.mean(beats.error_s[followed] > FAR_S)


def test_the_least_confidence_in_what_is_followed_is_no_boast(beats: Beats) -> None:
    least = (beats.state == "following") & (beats.sure == FOLLOWING_MIN)
    assert least.sum() >= 10
    spread = np.sqrt(FOLLOWING_MIN * (1 - FOLLOWING_MIN) / least.sum())
    assert np.mean(beats.error_s[least] <= WITHIN_S) > FOLLOWING_MIN - 2 * spread
