"""The rate a follower reports, against the true one and over time."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.recovery import LOCK_TOLERANCE_S

RATE_SPAN_S: Final = 1.0


def rate_error_pct(
    estimates: Estimates, piano_s: NDArray[np.float64], target_s: NDArray[np.float64], error: NDArray[np.float64]
) -> float:
    """Median deviation of the estimated rate from the true mean rate of the second around it, in per cent."""
    half = RATE_SPAN_S / 2
    ahead = np.searchsorted(piano_s, piano_s + half)
    behind = np.searchsorted(piano_s, piano_s - half)
    inside = (piano_s - half >= piano_s[0]) & (ahead < len(piano_s)) & (np.abs(error) <= LOCK_TOLERANCE_S)
    ahead, behind = ahead[inside], behind[inside]
    span = piano_s[ahead] - piano_s[behind]
    true_rate = (target_s[ahead] - target_s[behind]) / np.maximum(span, 1e-9)
    # A pause or a jump inside the span has no rate; a held orchestra (a cut) none worth a percentage.
    steady = (span < RATE_SPAN_S + 0.25) & (true_rate > 0.2) & (true_rate < 5)
    if not steady.any():
        return math.nan
    estimated = estimates.rate[estimates.newest(piano_s[inside][steady])]
    return float(100 * np.median(np.abs(estimated / true_rate[steady] - 1)))


def rate_change_per_s(estimates: Estimates) -> float:
    """Total variation of the estimated rate per second of estimates."""
    if len(estimates.rate) < 2 or estimates.audio_time_s[-1] <= estimates.audio_time_s[0]:
        return math.nan
    span = float(estimates.audio_time_s[-1] - estimates.audio_time_s[0])
    return float(np.abs(np.diff(estimates.rate)).sum()) / span
