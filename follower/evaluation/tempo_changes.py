"""Where the pianist's tempo changes at once, against the recording: agogic beats, the hardest ones to follow."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGE_CHANGE: Final = math.log(1.25)
"""Log ratio of the tempo over a beat to that over the beat before from which the change is large: a quarter."""
LARGEST_CHANGE: Final = math.log(4.0)
"""Beyond this it is no tempo, but a pause or a jump."""


def at_large_changes(beat_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which beats end an interval whose tempo differs largely from that of the interval before.

    Args:
        beat_s: instants of the beats, increasing, shape (B,).
        target_s: true positions at them, shape (B,).

    Returns:
        Shape (B,); False for the first two beats, and where the target stands still or goes back.

    Example:
        >>> at_large_changes(np.array([0.0, 1.0, 2.0, 3.5, 5.0]), np.array([0.0, 1.0, 2.0, 3.0, 4.0])).tolist()
        [False, False, False, True, False]
    """
    changes = np.zeros(len(beat_s), dtype=np.bool_)
    beat, target = np.diff(beat_s), np.diff(target_s)
    moves = (beat > 0) & (target > 0)
    tempo = np.log(np.where(moves, target, 1.0) / np.where(moves, beat, 1.0))
    change = np.abs(np.diff(tempo))
    changes[2:] = moves[1:] & moves[:-1] & (change > LARGE_CHANGE) & (change < LARGEST_CHANGE)
    return changes
