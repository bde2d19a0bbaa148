"""What a system reported over time: positions with rate, confidence and state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimates:
    """Positions in the order they were emitted, those without a position left out. All arrays have shape (n,).

    Attributes:
        audio_time_s: live audio consumed at the emission, non-decreasing.
        position_s: estimated position in the other recording.
        rate: seconds of the other recording per live second until the next position.
        confidence: 0..1, NaN where the system has none.
        state: the state the system reported (`follower.events.State`); empty where it reports none.
    """

    audio_time_s: NDArray[np.float64]
    position_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    confidence: NDArray[np.float64]
    state: NDArray[np.str_]

    @classmethod
    def build(
        cls,
        audio_time_s: NDArray[np.float64],
        position_s: NDArray[np.float64],
        rate: NDArray[np.float64],
        confidence: NDArray[np.float64] | None = None,
        state: NDArray[np.str_] | None = None,
    ) -> Estimates:
        """Drop rows without a position and take an unknown rate as 1."""
        known = np.isfinite(position_s)
        n = len(position_s)
        confidence = np.full(n, np.nan) if confidence is None else confidence
        state = np.full(n, "") if state is None else state
        return cls(
            audio_time_s[known],
            position_s[known],
            np.where(np.isfinite(rate[known]), rate[known], 1.0),
            confidence[known],
            state[known],
        )

    @classmethod
    def from_path(cls, hyp_s: NDArray[np.float64]) -> Estimates:
        """Estimates of an offline alignment, shape (2, n): between its points the estimate is the interpolation."""
        at, position = hyp_s
        rate = np.zeros(len(at))
        rate[:-1] = np.diff(position) / np.diff(at)
        return cls.build(at, position, rate)

    def newest(self, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the newest estimate at each instant, -1 before the first."""
        return np.searchsorted(self.audio_time_s, at_s, side="right") - 1
