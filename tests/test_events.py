"""Events are values: two that say the same are equal, on every version of Python."""

from __future__ import annotations

import copy

import numpy as np

from follower.events import AudioBlock, Position, State


def test_positions_without_a_clock_are_equal() -> None:
    """NaN for "no clock" would compare unequal from Python 3.13 on."""

    def unclocked() -> Position:
        return Position(0, 512, 44100, 1.5, 2.5, 1.0, 0.9, State.FOLLOWING)

    assert unclocked() == unclocked() == copy.deepcopy(unclocked())
    assert unclocked().capture_time_s is None and unclocked().latency_ms is None
    assert len({unclocked(), unclocked()}) == 1


def test_a_block_has_no_clock_unless_given_one() -> None:
    assert AudioBlock(0, np.zeros(4, np.float32)).capture_time_s is None
