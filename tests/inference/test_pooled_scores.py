"""Scores of the whole mix, region by region, against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from follower.inference import pooling
from follower.inference.pooled_scores import PooledScores
from follower.inference.pooling import Regions, pool_mean


@pytest.mark.parametrize("n_frames", [1, 5, 2000, 30_000, 100_000, 800_000, 60 * 60 * 43 * 20])
def test_every_position_is_worked_on_once_in_a_round(n_frames: int) -> None:
    regions = Regions(n_frames)
    positions = -(-n_frames // regions.pool)
    due = [region for hop in range(1, regions.pool + 1) for region in regions.due(hop)]
    assert sorted(due) == list(range(regions.count))
    assert (regions.count - 1) * regions.positions < positions <= regions.count * regions.positions
    assert max(len(regions.due(hop)) for hop in range(1, regions.pool + 1)) == 1
    assert regions.due(0) == ()


def test_the_pool_grows_before_the_work_does() -> None:
    hour = 60 * 60 * 43
    assert [Regions(hour * h // 4).pool for h in (1, 3, 4, 16)] == [4, 8, 8, 8]
    assert all(Regions(hour * h // 4).positions == pooling.REGION_POSITIONS for h in range(1, 5))
    assert Regions(4 * hour).positions == 4 * pooling.REGION_POSITIONS


def test_values_are_the_sums_since_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "REGION_POSITIONS", 512)
    rng = np.random.default_rng(3)
    features = rng.normal(size=(6, 4 * 1300)).astype(np.float32)
    pooled = pool_mean(features)
    scores = PooledScores(pooled, features.shape[1])
    assert scores.regions.count == 3
    heard = rng.normal(size=(14, 6)).astype(np.float32)
    since = dict.fromkeys(range(3), 0)
    for hop, weights in enumerate(heard):
        scores.add(weights)
        for region in scores.due:
            want = heard[since[region] : hop + 1].sum(axis=0) @ pooled[:, scores.part(region)]
            np.testing.assert_allclose(scores.values[scores.part(region)], want, rtol=1e-4, atol=1e-4)
            since[region] = hop + 1
    assert min(since.values()) > 10


def test_reset_equals_fresh() -> None:
    rng = np.random.default_rng(4)
    pooled = rng.normal(size=(3, 40)).astype(np.float32)
    used, fresh = PooledScores(pooled, 160), PooledScores(pooled, 160)
    for _ in range(7):
        used.add(np.ones(3, np.float32))
    used.reset()
    for scores in (used, fresh):
        for _ in range(5):
            scores.add(np.arange(3, dtype=np.float32))
    np.testing.assert_array_equal(used.values, fresh.values)
    assert (used.hop, used.due) == (fresh.hop, fresh.due)
