"""Stems of another separator, as they are kept."""

from __future__ import annotations

import numpy as np
import pytest

from offline_prep.compute import as_long


@pytest.mark.parametrize("n", [3, 5, 8])
def test_a_stem_is_made_as_long_as_the_mix(n: int) -> None:
    """Separators pad and trim."""
    pitch = np.arange(1.0, 11.0, dtype=np.float32).reshape(5, 2)
    found = as_long(pitch, n)
    assert found.shape == (n, 2) and found.dtype == np.float32
    np.testing.assert_array_equal(found[:5], pitch[:n])
    assert not found[5:].any()
