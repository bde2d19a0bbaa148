"""The bleed canceller's kernels against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels import bleed as kernels
from tests.naive import bleed as naive

pytestmark = pytest.mark.plain


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), first=st.integers(0, 8), frames=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_predictions_are_the_plain_ones(seed: int, n: int, first: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    orchestra, predicted = rng.random((n, 5)).astype(np.float32), rng.random(5)
    first = min(first, n - 1)
    end = min(first + frames, n)
    want = naive.predict(orchestra, first, end, 0.7, predicted)
    played = np.empty(5)
    kernels.predict(orchestra, first, end, 0.7, played, predicted)
    np.testing.assert_array_equal(played, want[0])
    np.testing.assert_allclose(predicted, want[1], rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), enough=st.floats(0.5, 40))
@settings(max_examples=100, deadline=None)
def test_counts_and_quantiles_are_the_plain_ones(seed: int, enough: float) -> None:
    rng = np.random.default_rng(seed)
    register, counts = np.arange(12) // 4, rng.integers(0, 9, (3, 10)).astype(np.float64)
    power, played = rng.random(12) ** 8 * rng.choice([0.0, 1.0], 12), rng.random(12)
    want = naive.count(power, played, register, 0.3, -6, 1e-9, counts)
    kernels.count(power, played, register, 0.3, -6, 1e-9, counts)
    np.testing.assert_array_equal(counts, want)
    lowest = np.empty(3, np.int64)
    kernels.low_quantile(counts, 0.1, 0.25, enough, lowest)
    np.testing.assert_array_equal(lowest, naive.low_quantile(counts, 0.1, 0.25, enough))
