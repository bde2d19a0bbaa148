"""The compiled steps of the search for rival places against plain ones."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from follower.kernels import place_search as kernels
from tests.naive import place_search as naive

pytestmark = pytest.mark.plain


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), n_tempi=st.integers(2, 6), seed=st.integers(0, 2**31), change=st.floats(0, 3))
def test_paths_are_extended_as_defined(n: int, n_tempi: int, seed: int, change: float) -> None:
    rng = np.random.default_rng(seed)
    paths = rng.normal(size=(n_tempi, n)).astype(np.float32)
    score = rng.normal(size=n).astype(np.float32)
    shift = rng.integers(0, 5, n_tempi)
    out, best = np.zeros_like(paths), np.zeros(n, np.float32)
    kernels.extend_paths(paths, score, shift, change, -7.0, out, best)
    want = naive.extend_paths(paths.astype(np.float64), score.astype(np.float64), shift, change, -7.0)
    np.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(best, want.max(axis=0), rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), ends=st.tuples(st.integers(0, 40), st.integers(0, 40)), seed=st.integers(0, 2**31))
def test_paths_are_settled_as_defined(n: int, ends: tuple[int, int], seed: int) -> None:
    first, end = sorted(min(e, n) for e in ends)
    paths = np.random.default_rng(seed).normal(scale=5, size=(3, n)).astype(np.float32)
    want = naive.settle_paths(paths.astype(np.float64), 1.5, first, end, 0.5, -4.0)
    kernels.settle_paths(paths, 1.5, first, end, 0.5, -4.0)
    np.testing.assert_allclose(paths, want, rtol=1e-4, atol=1e-5)
