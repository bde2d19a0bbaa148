"""Pauses of the pianist in the truth, and how soon a follower notices them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.jumps import jumps_of_truth
from follower.evaluation.recovery import LOCK_TOLERANCE_S
from follower.events import State

PAUSE_S: Final = 1.0


def pauses_of_truth(piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the truth's rows before which the pianist stopped for more than a second, without jumping."""
    return np.setdiff1d(np.flatnonzero(np.diff(piano_s) > PAUSE_S) + 1, jumps_of_truth(piano_s, target_s))


def seconds_to_pause_and_resume(
    estimates: Estimates, piano_s: NDArray[np.float64], target_s: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds until each pause is noticed, and until the music after it is followed."""
    at = estimates.audio_time_s
    paused, resumed = [], []
    for row in pauses_of_truth(piano_s, target_s):
        stop, restart = piano_s[row - 1], piano_s[row]
        noticed = at[(at > stop) & (at < restart) & (estimates.state == State.PAUSED.value)]
        paused.append(float(noticed[0] - stop) if len(noticed) else math.inf)
        after = (at >= restart) & (estimates.state == State.FOLLOWING.value)
        off = np.abs(estimates.position_s[after] - np.interp(at[after], piano_s, target_s))
        good = at[after][off <= LOCK_TOLERANCE_S]
        resumed.append(float(good[0] - restart) if len(good) else math.inf)
    return tuple(paused), tuple(resumed)
