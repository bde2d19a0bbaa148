"""The compiled loops of the stretcher against their plain versions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels import stretch as kernels
from tests.naive import stretch as naive

pytestmark = pytest.mark.plain


def spectrum(rng: np.random.Generator, channels: int, bins: int) -> np.ndarray:
    z = rng.standard_normal((channels, bins)) + 1j * rng.standard_normal((channels, bins))
    # A few strong bins, some of them equal, so that peaks and ties both occur.
    z *= rng.choice([0.0, 0.1, 1.0, 1.0, 10.0], size=bins)
    return z.astype(np.complex64)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 2), st.integers(2, 40))
def test_phase_locking_is_the_plain_one(seed: int, channels: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    current, back, previous = (spectrum(rng, channels, bins) for _ in range(3))
    fresh = rng.random(bins) < 0.3
    out = np.empty_like(current)
    kernels.lock_phases(current, back, previous, fresh, out)
    expected = naive.lock_phases(current, back, previous, fresh)
    np.testing.assert_allclose(out, expected, atol=2e-5 * max(float(np.abs(expected).max()), 1e-9))


def test_phase_locking_leaves_a_continuous_sound_alone() -> None:
    # When the last synthesised frame is the source itself, nothing turns: rate 1 is transparent.
    rng = np.random.default_rng(3)
    current, back = spectrum(rng, 2, 65), spectrum(rng, 2, 65)
    out = np.empty_like(current)
    kernels.lock_phases(current, back, back, np.zeros(65, np.bool_), out)
    np.testing.assert_allclose(out, current, rtol=1e-5, atol=1e-6)


@given(st.integers(0, 10_000), st.integers(0, 200), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_attack_power_and_rises_are_the_plain_ones(seed: int, n: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    samples = (rng.standard_normal((2, n)) * rng.choice([0.01, 1.0], size=n)).astype(np.float32)
    power = kernels.difference_power(samples, block)
    np.testing.assert_allclose(power, naive.difference_power(samples, block), rtol=1e-12, atol=1e-15)
    found = kernels.power_rises(power, 4, 3.0, 0.01, 3)
    np.testing.assert_array_equal(found, naive.power_rises(power, 4, 3.0, 0.01, 3))


@pytest.mark.parametrize("channels", [1, 2])
def test_limiter_is_the_plain_one_and_keeps_the_ceiling(channels: int) -> None:
    rng = np.random.default_rng(5)
    x = (rng.standard_normal((600, channels)) * np.linspace(0.1, 2.0, 600)[:, None]).astype(np.float32)
    lookahead, release = 16, 0.01
    state, delay = np.array([0.0, 1.0]), np.zeros((lookahead, channels), np.float32)
    ramp, out = np.ones(lookahead), np.empty_like(x)
    kernels.limit(x[:250], 0.5, release, state, delay, ramp, out[:250])
    kernels.limit(x[250:], 0.5, release, state, delay, ramp, out[250:])
    np.testing.assert_allclose(out, naive.limit(x, 0.5, release, lookahead), atol=1e-6)
    assert float(np.abs(out).max()) <= 0.5 + 1e-6
    assert float(np.abs(x).max()) > 1.0
