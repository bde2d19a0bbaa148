"""follower.kernels.align and the path search against their slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.errors import AlignmentError
from follower.kernels import align as kernels
from offline_prep.alignment.features import Comparison
from offline_prep.alignment.path import OUTSIDE_COST, GapCosts, SegmentRule, best_path, node_posterior
from tests.naive import align as naive

pytestmark = pytest.mark.plain

SEEDS = st.integers(0, 10_000)


def _floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    a = rng.standard_normal(shape).astype(np.float32)
    a[rng.random(shape) < 0.2] = np.inf
    return a


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_leave_node(seed: int) -> None:
    rng = np.random.default_rng(seed)
    match, gap = _floats(rng, 6, 5), _floats(rng, 6)
    log_step = rng.uniform(0.05, 0.4, 4).astype(np.float32)
    best, back = np.empty((6, 5), np.float32), np.zeros((6, 5), np.int8)
    kernels.leave_node(match, gap, log_step, 2.0, best, back)
    np.testing.assert_allclose(best, naive.leave_node(match, gap, log_step, 2.0), rtol=1e-5, atol=1e-5)
    knot = np.concatenate([[0.0], np.cumsum(log_step)])
    for j, q in np.argwhere(np.isfinite(best)):  # the pointer names an origin of exactly that cost
        p = back[j, q]
        origin = gap[j] if p < 0 else match[j, p] + 2.0 * abs(knot[q] - knot[p])
        assert origin == pytest.approx(best[j, q], rel=1e-5, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_add_segment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, displacement = 4, np.array([2, 3, 5], np.int32)
    line = ((np.arange(rows) + 0.5) * displacement[:, None] / rows).astype(np.int32)
    best, prior = _floats(rng, 7, 3), rng.random(3).astype(np.float32)
    cost = rng.standard_normal((rows, 9)).astype(np.float32)
    first, cost_first, there = (int(v) for v in rng.integers(-2, 4, 3))
    match = np.empty((8, 3), np.float32)
    read = kernels.add_segment(best, first, cost, cost_first, line, displacement, prior, there, match)
    expected = naive.add_segment(best, first, cost, cost_first, displacement, prior, there, 8)
    np.testing.assert_allclose(match, expected, rtol=1e-5, atol=1e-5)
    assert read == rows * int(np.isfinite(expected).sum())


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_update_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, match, wait, enter = _floats(rng, 8), _floats(rng, 8, 3), _floats(rng, 8), _floats(rng, 8)
    skip = rng.random(8).astype(np.float32)
    gap, back = np.empty(8, np.float32), np.zeros(8, np.int8)
    kernels.update_gap(before, match, wait, enter, skip, 0.0, gap, back)
    np.testing.assert_allclose(gap, naive.update_gap(before, match, wait, enter, skip, 0.0), atol=1e-5)
    for j in range(8):
        code = int(back[j])
        if code == kernels.GAP_START:
            origin = 0.0
        elif code == kernels.GAP_ROWS:
            origin = float(before[j] + wait[j])
        elif code == kernels.GAP_COLUMN:
            origin = float(gap[j - 1] + skip[j])
        else:
            origin = float(match[j, code - kernels.GAP_FROM_MATCH] + enter[j])
        assert origin == pytest.approx(float(gap[j]), abs=1e-5)


def test_offset_profile() -> None:
    rng = np.random.default_rng(3)
    mix, orchestra = (rng.standard_normal((n, 6)).astype(np.float32) for n in (5, 7))
    column, offset = np.array([0, 2, 3, 6, 9]), np.array([-2, 0, 3])
    out = np.empty((5, 3), np.float32)
    kernels.offset_profile(mix, orchestra, column, offset, out)
    np.testing.assert_allclose(out, naive.offset_profile(mix, orchestra, column, offset), atol=1e-5)


def _comparison(rng: np.random.Generator, rows: int, columns: int) -> tuple[Comparison, np.ndarray]:
    mix, orchestra = (rng.standard_normal((n, 3)).astype(np.float32) for n in (rows, columns))
    return Comparison(mix, orchestra, 0.3, 0.1), 0.3 - mix.astype(np.float64) @ orchestra.T.astype(np.float64)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_best_path_is_the_exhaustive_optimum(seed: int) -> None:
    """Against every chain of segments; the band reaches six columns beyond the recording."""
    comparison, cost = _comparison(np.random.default_rng(seed), 12, 14)
    rule = SegmentRule(rows=4, slopes=(0.5, 1.0, 1.5), stiffness=0.3)
    path = best_path(comparison, rule, np.zeros(4, np.int64), 20, None)
    padded = np.hstack([cost, np.full((12, 12), OUTSIDE_COST)])
    assert path.score == pytest.approx(-naive.cheapest_path(padded, [2, 4, 6], 4, 0.3, 20), abs=1e-4)
    (knots,) = path.chains
    step = np.diff(knots[:, 1])
    bends = 0.3 * 4 * np.abs(np.diff(np.log(step))).sum()
    lines = [padded[4 * t + r, knots[t, 1] + int((r + 0.5) * step[t] / 4)] for t in range(3) for r in range(4)]
    assert path.score == pytest.approx(-(bends + sum(lines)), abs=1e-4)  # the knots cost what the search says


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_node_posterior_sums_over_every_chain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    comparison, cost = _comparison(rng, 12, 24)
    rule = SegmentRule(rows=4, slopes=(0.5, 1.0, 1.5), stiffness=0.3)
    first = np.array([0, 3, 8, 11])
    posterior = node_posterior(comparison, rule, first, 6, 0.7)
    expected = naive.node_posterior(cost, [2, 4, 6], 4, 0.3, 0.7, first.tolist(), 6)
    np.testing.assert_allclose(posterior, expected, atol=1e-5)


def test_a_posterior_of_huge_costs_is_a_distribution_round_the_best_chain() -> None:
    """Similarities of hundreds, which overflow 32 bits when taken to their exponents as they are."""
    rows = np.full((12, 12), -15.0, dtype=np.float32)
    np.fill_diagonal(rows, 15.0)
    rule = SegmentRule(rows=4, slopes=(0.5, 1.0, 1.5), stiffness=0.3)
    posterior = node_posterior(Comparison(rows, rows, 0.0, 0.1), rule, np.array([0, 3, 7, 10]), 4, 1.0)
    assert np.allclose(posterior.sum(axis=1), 1.0)
    assert posterior.argmax(axis=1).tolist() == [0, 1, 1, 2]


def test_a_gap_skips_foreign_rows() -> None:
    """32 rows of nonsense between two matching halves: two chains, with the orchestra waiting at column 20."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((76, 24)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    music, mix = rows[32:], np.vstack([rows[32:52], rows[:32], rows[52:72]])
    gap = GapCosts(np.full(44, 0.01, np.float32), np.full(44, 1.0, np.float32), np.full(44, 0.05, np.float32))
    rule = SegmentRule(rows=4, slopes=(0.5, 0.75, 1.0, 1.25, 1.5), stiffness=0.5)
    path = best_path(Comparison(mix, music, 0.3, 0.1), rule, np.zeros(19, np.int64), 44, gap)
    assert [(c[0].tolist(), c[-1].tolist()) for c in path.chains] == [([0, 0], [20, 20]), ([52, 20], [72, 40])]


def test_an_impossible_band_is_an_error() -> None:
    comparison, _ = _comparison(np.random.default_rng(0), 8, 30)
    rule = SegmentRule(rows=4, slopes=(1.0,), stiffness=1.0)
    with pytest.raises(AlignmentError, match="no path fits a band of 3 columns"):
        best_path(comparison, rule, np.array([0, 20, 0]), 3, None)
    with pytest.raises(AlignmentError, match="no chain of segments fits"):
        node_posterior(comparison, rule, np.array([0, 20, 0]), 3, 1.0)


def test_slopes_far_from_the_usual_cost_extra() -> None:
    rule = SegmentRule(rows=10, slopes=(0.5, 1.0, 2.0), stiffness=1.0, slope_cost=0.2, slope_free=0.3)
    np.testing.assert_allclose(rule.prior(), np.array([1, 0, 1]) * 2.0 * (np.log(2) - 0.3), rtol=1e-6)
