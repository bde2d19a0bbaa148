"""How well the newest moments fit the estimate, against the best other position."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.pooled_scores import PooledScores
from follower.inference.pooling import POOL, Regions, pool_mean
from follower.inference.rival_match import RivalMatch

HOP_S = 512 / 22050
SECONDS = 20.0
N = round(SECONDS / HOP_S)


@pytest.fixture(scope="module")
def features() -> NDArray[np.float32]:
    """Twenty seconds of notes of a quarter of a second, none like another."""
    notes = np.random.default_rng(1).normal(size=(24, N // 11 + 1)).astype(np.float32)
    notes /= np.linalg.norm(notes, axis=0)
    return np.repeat(notes, 11, axis=1)[:, :N]


class Listener:
    """A match, and the scores it reads."""

    def __init__(self, features: NDArray[np.float32]) -> None:
        n = features.shape[1]
        self.scores = PooledScores(pool_mean(features, Regions(n).pool), n)
        self._match = RivalMatch(self.scores, HOP_S)

    def reset(self) -> None:
        self.scores.reset()
        self._match.reset()

    def update(self, weights: NDArray[np.float32], rate: float, estimate_s: float) -> float:
        self.scores.add(weights)
        return self._match.update(rate, estimate_s)


def _play(
    match: Listener,
    features: NDArray[np.float32],
    start_s: float,
    seconds: float,
    off_s: float = 0.0,
    rate: float = 1,
) -> list[float]:
    """Margins of an estimate that is `off_s` beside the position played."""
    margins = []
    for k in range(round(seconds / HOP_S)):
        place_s = start_s + rate * HOP_S * k
        margins.append(match.update(2 * features[:, round(place_s / HOP_S)], rate, place_s + HOP_S + off_s))
    return margins


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.9])
def test_the_right_place_fits_best_and_another_does_not(features: NDArray[np.float32], rate: float) -> None:
    match = Listener(features)
    assert min(_play(match, features, 4.0, 3.0, rate=rate)[40:]) > 5
    match.reset()
    assert max(_play(match, features, 4.0, 3.0, off_s=3.0, rate=rate)[40:]) < -5


def test_a_jump_of_the_pianist_shows_within_half_a_second(features: NDArray[np.float32]) -> None:
    match = Listener(features)
    assert _play(match, features, 3.0, 3.0)[-1] > 5
    stayed = _play(match, features, 12.0, 0.5, off_s=6.0 - 12.0)  # the estimate goes on from 6 s
    assert stayed[-1] < -2


def test_a_small_error_is_no_other_place(features: NDArray[np.float32]) -> None:
    match = Listener(features)
    assert min(_play(match, features, 4.0, 3.0, off_s=0.15)[40:]) > 0


def test_silence_wears_the_margin_off(features: NDArray[np.float32]) -> None:
    match = Listener(features)
    _play(match, features, 4.0, 2.0)
    for _ in range(200):
        margin = match.update(np.zeros(24, np.float32), 1.0, 6.0)
    assert margin == pytest.approx(0.0, abs=1e-3)


def test_reset_equals_fresh(features: NDArray[np.float32]) -> None:
    used, fresh = Listener(features), Listener(features)
    _play(used, features, 10.0, 1.03)
    used.reset()
    assert _play(used, features, 4.0, 1.0) == _play(fresh, features, 4.0, 1.0)


@pytest.mark.parametrize("n", [1, 3, POOL, 50])
def test_a_mix_without_another_place_has_no_rival(n: int) -> None:
    match = Listener(np.ones((2, n), np.float32))
    for _ in range(20):
        margin = match.update(np.ones(2, np.float32), 1.0, 0.0)
    assert math.isfinite(margin)
    assert n >= 50 or margin == 0.0


def test_places_beyond_the_mix_are_its_ends(features: NDArray[np.float32]) -> None:
    match = Listener(features)
    for estimate_s in (-1.0, SECONDS + 5):
        for _ in range(2 * POOL):
            assert math.isfinite(match.update(features[:, 0], 3.0, estimate_s))
