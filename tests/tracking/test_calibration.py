"""Confidence against what came true, on 2000 beats of 71 recordings (rendered and real timing), drawn at random.

`confidence_rows.npz` holds for each the evidence of the estimate, the map's confidence there and the error.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.tracking.confidence import Evidence, confidence, on_track_log_odds
from tests.paths import REPOSITORY

WITHIN_S = 0.2
FAR_S = 1.0


@pytest.fixture(scope="module")
def beats() -> tuple[list[Evidence], NDArray[np.float64], NDArray[np.float64]]:
    """Evidence, confidence and error of each beat."""
    with np.load(REPOSITORY / "tests" / "data" / "confidence_rows.npz") as data:
        evidence = [Evidence(*row) for row in data["evidence"].astype(np.float64).tolist()]
        maps, error_s = data["map_confidence"].astype(np.float64), data["error_s"].astype(np.float64)
    sure = np.array([confidence(e, m) for e, m in zip(evidence, maps.tolist(), strict=True)])
    return evidence, sure, error_s


def test_a_confidence_is_how_often_it_comes_true(
    beats: tuple[list[Evidence], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    _, sure, error_s = beats
    within = error_s <= WITHIN_S
    for low, high in ((0.0, 0.3), (0.3, 0.6), (0.6, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.0)):
        inside = (sure >= low) & (sure < high)
        n = int(inside.sum())
        assert n >= 50
        expected = float(sure[inside].mean())
        allowed = 0.04 + 2 * np.sqrt(expected * (1 - expected) / n)
        assert abs(float(within[inside].mean()) - expected) < allowed, (low, high)


def test_sure_estimates_are_right(beats: tuple[list[Evidence], NDArray[np.float64], NDArray[np.float64]]) -> None:
    _, sure, error_s = beats
    surest = sure >= 0.95
    assert surest.mean() > 0.5
    assert np.mean(error_s[surest] <= WITHIN_S) >= 0.97
    assert np.mean(error_s[surest] > FAR_S) <= 0.005


def test_what_is_lost_is_mostly_wrong_or_doubtful(
    beats: tuple[list[Evidence], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    evidence, _, error_s = beats
    lost = np.array([on_track_log_odds(e) < 0 for e in evidence])
    assert np.mean(error_s[lost] > FAR_S) > 10 * np.mean(error_s[~lost] > FAR_S)
