"""The kernels of an observation against plain NumPy that keeps all of the past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels import observation as kernels
from tests.naive import observation as naive

pytestmark = pytest.mark.plain

TINY = 1e-7


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(9, 40),
    lag=st.integers(1, 4),
    reach=st.integers(0, 4),
    share=st.floats(0.01, 0.9),
)
@settings(max_examples=30, deadline=None)
def test_what_is_heard_above_the_noise_is_the_plain_one(seed: int, k: int, lag: int, reach: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    frames = (rng.random((25, k)) ** 4 * rng.choice([0.0, 1e-4, 1.0], (25, 1))).astype(np.float32)
    noise = kernels.Noise(np.zeros(k), np.zeros(k), np.zeros((lag, k)))
    plain = naive.Noise(share, 1.05, 2.5, lag, TINY)
    out = np.empty(k)
    for hop, heard in enumerate(frames):
        figures = kernels.heard_above_noise(heard, hop, noise, share, 1.05, 2.5, reach, TINY, out)
        x, *wanted = plain.hear(heard.astype(np.float64), reach)
        np.testing.assert_allclose(out, x, rtol=1e-9, atol=1e-15)
        assert figures == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(26, 60),
    lags=st.tuples(st.integers(1, 4), st.integers(1, 7)),
    novelty_lag=st.integers(1, 6),
    span=st.integers(1, 9),
)
@settings(max_examples=30, deadline=None)
def test_an_observation_is_the_plain_one(seed: int, k: int, lags: tuple[int, int], novelty_lag: int, span: int) -> None:
    rng = np.random.default_rng(seed)
    c = kernels.Constants(10.0, 100.0, *lags, 0.4, 0.7, 0.5, 0.5, 3, 0.3, TINY)
    floors = rng.random(4)
    rise = kernels.Rise(
        np.zeros(k), np.zeros(k), np.zeros((max(lags), k)), np.zeros((novelty_lag, k)), np.zeros((4, span))
    )
    plain = naive.Parts(c, [12, 19, 24], floors.tolist(), span, novelty_lag)
    parts = np.empty((4, k), np.float32)
    counted = 0
    for hop in range(25):
        x = rng.random(k) ** 6 * rng.choice([0.0, 1.0])
        level, counts = float(rng.uniform(0.01, 2.0)), bool(rng.random() < 0.7)
        cosine = kernels.observe(x, level, hop, counts, counted, rise, c, np.array([12, 19, 24]), floors, parts)
        counted += counts
        wanted, wanted_cosine = plain.observe(x, level, counts)
        np.testing.assert_allclose(parts, wanted, rtol=1e-5, atol=1e-7)
        assert cosine == pytest.approx(wanted_cosine, abs=1e-5)
