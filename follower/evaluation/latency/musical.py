"""Musical delay: how far the estimates are behind the annotated truth, in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LOCKED_WITHIN_S: Final = 0.3
"""Estimates further off than this are errors of position, not of time."""
MAX_LAG_S: Final = 0.25
MAX_TRUTH_GAP_S: Final = 0.2


@dataclass(frozen=True)
class Musical:
    """Delay of the estimates against the truth; positive means the follower is behind the pianist.

    Attributes:
        count: positions compared.
        bias_ms: median of (truth - estimate) / rate: how much later than the pianist the estimates are.
        lag_ms: the shift of the estimates in time that fits the truth best (smallest median error).
    """

    count: int
    bias_ms: float
    lag_ms: float


def musical_delay(
    audio_s: NDArray[np.float64],
    estimate_s: NDArray[np.float64],
    rate: NDArray[np.float64],
    truth_audio_s: NDArray[np.float64],
    truth_orchestra_s: NDArray[np.float64],
) -> Musical:
    """Compare estimates with the truth.

    Args:
        audio_s: instants of the estimates, shape (n,).
        estimate_s: estimated positions in the orchestra recording, shape (n,).
        rate: reported rates, shape (n,).
        truth_audio_s: increasing instants with a known position, shape (K,); gaps are where nothing is known.
        truth_orchestra_s: orchestra positions at these instants, shape (K,).

    Returns:
        The delays; NaN when no estimate can be compared.
    """

    def truth_at(t: NDArray[np.float64]) -> NDArray[np.float64]:
        position: NDArray[np.float64] = np.interp(t, truth_audio_s, truth_orchestra_s)
        after = np.clip(np.searchsorted(truth_audio_s, t), 1, len(truth_audio_s) - 1)
        known = (t >= truth_audio_s[0]) & (t <= truth_audio_s[-1])
        # Rows far apart, or a jump between them, do not show the time between them.
        known &= np.diff(truth_audio_s)[after - 1] <= MAX_TRUTH_GAP_S
        known &= np.abs(np.diff(truth_orchestra_s)[after - 1]) <= 5 * MAX_TRUTH_GAP_S
        return np.where(known, position, np.nan)

    error = truth_at(audio_s) - estimate_s
    use = np.abs(error) < LOCKED_WITHIN_S  # false for NaN
    use &= rate > 0.1
    if use.sum() < 2:
        return Musical(int(use.sum()), float("nan"), float("nan"))
    lags = np.arange(-MAX_LAG_S, MAX_LAG_S + 5e-4, 1e-3)
    misfit = []
    for lag in lags:
        off = np.abs(truth_at(audio_s[use] - lag) - estimate_s[use])
        off = off[~np.isnan(off)]
        misfit.append(float(np.median(off)) if len(off) else np.inf)
    return Musical(
        int(use.sum()), 1e3 * float(np.median(error[use] / rate[use])), 1e3 * float(lags[int(np.argmin(misfit))])
    )
