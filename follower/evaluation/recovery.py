"""How soon a follower is right, and whether it knows when it is not."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.share import Share
from follower.events import State

LOCK_TOLERANCE_S: Final = 0.5
LOCK_HOLD_S: Final = 1.0
"""A follower has locked where its error stays below the tolerance for this long."""
LOST_ERROR_S: Final = 1.0
"""An estimate this far off should be reported as lost."""


def seconds_to_lock(piano_s: NDArray[np.float64], error: NDArray[np.float64], hold_s: float = LOCK_HOLD_S) -> float:
    """From the first instant until the error stays below the tolerance for `hold_s` (or to the end)."""
    if not len(piano_s):
        return math.inf
    good = np.abs(error) <= LOCK_TOLERANCE_S
    bad_at = piano_s[~good]
    for at in piano_s[good]:
        k = int(np.searchsorted(bad_at, at))
        if k == len(bad_at) or bad_at[k] > at + hold_s:
            return float(at - piano_s[0])
    return math.inf


def lost_shares(estimates: Estimates, piano_s: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[Share, Share]:
    """How much of the wrong time was not called lost, and how much of the good time was."""
    k = estimates.newest(piano_s)
    estimated = k >= 0
    lost, error = estimates.state[k[estimated]] == State.LOST.value, np.abs(error[estimated])
    wrong, right = error > LOST_ERROR_S, error <= LOCK_TOLERANCE_S
    missed = Share(int(np.sum(~lost[wrong])), int(np.sum(wrong)))
    return missed, Share(int(np.sum(lost[right])), int(np.sum(right)))
