"""The compiled filter steps against plain ones, on random beliefs."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.kernels import tempo_filter as kernels
from tests.naive import tempo_filter as naive

pytestmark = pytest.mark.plain

TEMPI = np.array([0.5, 1.0, 1.5, 2.0])


def _belief(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    moving, holding = rng.random((4, n)), rng.random(n)
    total = moving.sum() + holding.sum()
    return (moving / total).astype(np.float32), (holding / total).astype(np.float32)


def _all(n: int, block: int) -> NDArray[np.int64]:
    return np.arange(-(-n // block))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(5, 60), block=st.integers(3, 20), seed=st.integers(0, 2**31), resume=st.floats(0, 1))
def test_a_step_is_its_definition(n: int, block: int, seed: int, resume: float) -> None:
    rng = np.random.default_rng(seed)
    moving, holding = _belief(rng, n)
    shift = rng.integers(0, 4, 4)
    stop, likelihood = rng.random((2, n)).astype(np.float32)
    prior, gain = rng.random((2, 4)).astype(np.float32)
    new_moving, new_holding, place = np.zeros((4, n), np.float32), *np.zeros((2, n), np.float32)
    total = kernels.advance(
        2 * moving, 2 * holding, 0.5, shift, 0.02, stop, resume, prior, gain, 1e-3, likelihood, _all(n, block), block,
        new_moving, new_holding, place,
    )  # fmt: skip
    want_moving, want_holding = naive.advance(moving, holding, shift, 0.02, stop, resume, prior, gain, 1e-3, likelihood)
    np.testing.assert_allclose(new_moving, want_moving, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(new_holding, want_holding, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(place, want_moving.sum(axis=0) + want_holding, rtol=1e-4)
    assert total == pytest.approx(want_moving.sum() + want_holding.sum(), rel=1e-4)


def test_blocks_not_named_are_left_alone() -> None:
    rng = np.random.default_rng(1)
    moving, holding = _belief(rng, 12)
    new = np.full((4, 12), 7, np.float32)
    held, place = np.full((2, 12), 7, np.float32)
    ones = np.ones(12, np.float32)
    kernels.advance(
        moving, holding, 1.0, np.array([0, 1, 2, 3]), 0.0, 0 * ones, 0.0, ones[:4], ones[:4], 0.0, ones,
        np.array([1]), 4, new, held, place,
    )  # fmt: skip
    untouched = [0, 1, 2, 3, 8, 9, 10, 11]
    assert np.all(new[:, untouched] == 7)
    assert np.all(held[untouched] == 7)
    assert np.all(place[untouched] == 7)
    assert not np.any(new[:, 4:8] == 7)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 50), block=st.integers(2, 16), seed=st.integers(0, 2**31))
def test_scores_and_likelihoods(n: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, weights = rng.random((6, n)).astype(np.float32), rng.random(6).astype(np.float32)
    weights[::2] = 0
    out = np.zeros(n, np.float32)
    top = kernels.scores(features, weights, _all(n, block), block, out)
    np.testing.assert_allclose(out, weights @ features, rtol=1e-5)
    assert top == pytest.approx(float((weights @ features).max()), rel=1e-5)
    kernels.likelihoods(out, top, _all(n, block), block)
    np.testing.assert_allclose(out, np.exp(weights @ features - top), rtol=1e-4)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(3, 50), reach=st.integers(0, 8), seed=st.integers(0, 2**31))
def test_mode_and_summary(n: int, reach: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    moving, holding = _belief(rng, n)
    place = moving.sum(axis=0) + holding
    centre = kernels.densest(place, reach)
    assert centre == naive.densest(place.astype(np.float64), reach)
    got = kernels.summarise(3 * moving, 3 * holding, 3 * place, 3 * float(place.sum()), TEMPI, centre, reach, 2 * reach)
    assert got == pytest.approx(naive.summarise(moving, holding, TEMPI, centre, reach, 2 * reach), rel=1e-4)


def test_summary_of_nothing() -> None:
    nothing = np.zeros((4, 9), np.float32)
    assert kernels.summarise(nothing, nothing[0], nothing[0], 1.0, TEMPI, 3, 2, 4) == (3.0, 0.0, 0.0, 0.0)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 50), reach=st.integers(0, 6), seed=st.integers(0, 2**31))
def test_blur_is_a_moving_average(n: int, reach: int, seed: int) -> None:
    moving, _ = _belief(np.random.default_rng(seed), n)
    padded = np.pad(moving, ((0, 0), (reach, reach)))
    want = naive.blur(padded, reach)[:, reach : reach + n]
    kernels.blur_blocks(moving, reach, _all(n, 5), 5)
    np.testing.assert_allclose(moving, want, rtol=1e-4, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 50), seed=st.integers(0, 2**31))
def test_pooling_keeps_the_mass_and_spreading_returns_it(n: int, seed: int) -> None:
    moving, _ = _belief(np.random.default_rng(seed), n)
    coarse = np.zeros((4, -(-n // 4)), np.float32)
    kernels.pool_blocks(moving, 2.0, 4, _all(n, 8), 8, coarse)
    np.testing.assert_allclose(coarse, 2 * naive.pool(moving, 4), rtol=1e-4)
    fine = np.zeros_like(moving)
    kernels.spread_blocks(coarse, 0.5, 4, _all(n, 8), 8, fine)
    np.testing.assert_allclose(fine, np.repeat(naive.pool(moving, 4) / 4, 4, axis=1)[:, :n], rtol=1e-4)


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 60), reach=st.integers(0, 9), seed=st.integers(0, 2**31))
def test_in_some_blocks_the_densest_position_is_that_of_all(n: int, reach: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = np.flatnonzero(rng.random(-(-n // 5)) < 0.4)
    belief = np.where(np.isin(np.arange(n) // 5, blocks), rng.random(n), 0.0).astype(np.float32)
    at = kernels.densest_in(belief, reach, blocks, 5)
    sums = naive.blur(np.pad(belief[None].astype(np.float64), ((0, 0), (reach, reach))), reach)[0, reach : reach + n]
    assert len(blocks) == at == 0 or sums[at] == pytest.approx(sums.max(), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 60), reach=st.integers(0, 9), seed=st.integers(0, 2**31))
def test_blur_in_some_blocks_is_that_of_all(n: int, reach: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = np.flatnonzero(rng.random(-(-n // 5)) < 0.4)
    inside = np.isin(np.arange(n) // 5, blocks)
    moving = np.where(inside, _belief(rng, n)[0], np.float32(0.0))
    padded = np.pad(moving, ((0, 0), (reach, reach)))
    want = np.where(inside, naive.blur(padded, reach)[:, reach : reach + n], 0.0)
    kernels.blur_blocks(moving, reach, blocks, 5)
    np.testing.assert_allclose(moving, want, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("furthest", [1, 3, 40])
def test_belief_stops_where_the_mix_has_piano_and_at_the_end(furthest: int) -> None:
    activity = np.linspace(0, 1, 23).astype(np.float32)
    out = np.full(23, -1.0, np.float32)
    kernels.stop_shares(activity, 0.25, furthest, np.array([1, 4]), 5, out)
    want = activity / 4
    want[max(23 - furthest, 0) :] = 1.0
    read = [j for j in range(23) if any(b * 5 - furthest <= j < (b + 1) * 5 for b in (1, 4))]
    np.testing.assert_allclose(out[read], want[read], rtol=1e-6)


def test_blocks_are_filled_and_others_left() -> None:
    out = np.zeros(10, np.float32)
    kernels.fill(2.5, np.array([0, 2]), 4, out)
    assert out.tolist() == [2.5] * 4 + [0.0] * 4 + [2.5] * 2


def test_block_sums() -> None:
    sums = np.zeros(3)
    kernels.block_sums(np.arange(10, dtype=np.float32), 4, sums)
    assert sums.tolist() == [6, 22, 17]
    kernels.sums_in(np.arange(10, dtype=np.float32), 0.5, np.array([0, 2]), 4, sums)
    assert sums.tolist() == [3, 22, 8.5]


def test_decaying_maximum() -> None:
    x = np.random.default_rng(0).random((20, 3))
    want = naive.decaying_maximum(x, 0.4)
    kernels.decaying_maximum(x, 0.4)
    np.testing.assert_array_equal(x, want)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_gathering_moves_belief_without_losing_any(seed: int) -> None:
    moving, _ = _belief(np.random.default_rng(seed), 20)
    before = moving.astype(np.float64)
    kernels.gather_tempo(moving, 2, 0.25, _all(20, 6), 6)
    np.testing.assert_allclose(moving.sum(axis=0), before.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(moving[[0, 1, 3]], 0.75 * before[[0, 1, 3]], rtol=1e-5)
