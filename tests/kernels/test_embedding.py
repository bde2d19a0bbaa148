"""The kernel of the live piano's embedding against plain loops over all frames at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from follower.kernels import embedding as kernels
from tests.naive import embedding as naive

pytestmark = pytest.mark.plain


@given(
    seed=st.integers(0, 2**32 - 1),
    taps=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    blocks=st.integers(0, 2),
    hops=st.integers(1, 12),
)
@settings(max_examples=15, deadline=None)
def test_hop_by_hop_it_is_the_plain_one(seed: int, taps: tuple[int, int], blocks: int, hops: int) -> None:
    rng = np.random.default_rng(seed)
    k, filters, w, e = 5, 2, 4, 3
    shapes = ((filters, taps[0]), (filters,), (filters * k, w), (w,), (blocks, taps[1], w), (blocks, w))
    more = ((blocks, w, w), (blocks, w), (w, e), (e,))
    layers = kernels.Layers(*(rng.normal(0, 0.6, shape).astype(np.float32) for shape in (*shapes, *more)))
    levels = rng.random((hops, k)).astype(np.float32)
    ring, given_to, out = np.zeros((taps[0], k), np.float32), np.zeros((blocks, taps[1], w), np.float32), []
    for hop, level in enumerate(levels):
        out.append(np.empty(e, np.float32))
        kernels.embed_hop(level, hop, layers, ring, given_to, out[-1])
    np.testing.assert_allclose(out, naive.embeddings(levels.tolist(), layers, ahead=False), atol=2e-6)
