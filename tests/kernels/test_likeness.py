"""The likeness kernel against plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels.likeness import best_cosine
from tests.naive import likeness as naive

pytestmark = pytest.mark.plain


@given(
    seed=st.integers(0, 2**32 - 1),
    m=st.integers(1, 30),
    end=st.integers(-5, 40),
    other_end=st.integers(-5, 40),
    length=st.integers(1, 6),
    shift=st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_it_is_the_plain_one(seed: int, m: int, end: int, other_end: int, length: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    columns = (rng.normal(size=(6, m)) * rng.choice([0.0, 1.0], m)).astype(np.float32)
    weights = rng.random(6).astype(np.float32)
    arguments = (columns, weights, end, other_end, length, shift)
    assert best_cosine(*arguments) == pytest.approx(naive.best_cosine(*arguments), abs=1e-6)
