"""A few seconds of the soak; two hours by `python -m tests.soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.soak import SLOW_S, soak


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
def test_a_short_soak_has_no_hole(tmp_path: Path) -> None:
    minutes = 0.1
    result = soak(minutes, tmp_path, piece_s=8.0)
    assert result.positions > 0.8 * 60 * minutes * 43
    assert result.holes == result.gaps == 0
    assert 0 < result.slow_positions <= 60 * minutes / SLOW_S + 1
    assert result.descriptors <= 0
    assert result.told == ()
