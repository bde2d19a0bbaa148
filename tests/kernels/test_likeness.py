"""The likeness kernel against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels.likeness import best_cosine
from tests.naive import likeness as naive

pytestmark = pytest.mark.plain


@given(seed=st.integers(0, 2**32 - 1), length=st.integers(0, 6), m=st.integers(0, 14))
@settings(max_examples=200, deadline=None)
def test_it_is_the_plain_one(seed: int, length: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    piece, other = ((rng.normal(size=(6, n)) * rng.choice([0.0, 1.0], n)).astype(np.float32) for n in (length, m))
    weights = rng.random(6).astype(np.float32)
    assert best_cosine(piece, other, weights) == pytest.approx(naive.best_cosine(piece, other, weights), abs=1e-6)
