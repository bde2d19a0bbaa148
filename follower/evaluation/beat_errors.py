"""The live metric, and its figures.

At each evaluation beat the estimate is the newest position emitted from audio up to that beat, advanced at its rate; a
beat before the first position counts as an infinite error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.json_numbers import finite_or_none

TOLERANCES_MS: Final = (50, 100, 200, 500, 1000, 2000)


@dataclass(frozen=True)
class Summary:
    """Errors at beats in figures: the median and the bias to 0.1 ms, percentages to 0.01.

    Attributes:
        beats: number of beats.
        median_ms: median absolute error; inf where more than half of the beats have no estimate.
        bias_ms: median signed error of the beats with a estimate; None without any.
        over_pct: percentage of beats with a larger absolute error, one for each of `TOLERANCES_MS`.
    """

    beats: int
    median_ms: float
    bias_ms: float | None
    over_pct: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; an infinite median is null."""
        median_ms = finite_or_none(self.median_ms)
        out: dict[str, Any] = {"beats": self.beats, "median_ms": median_ms, "bias_ms": self.bias_ms}
        return out | {f"over_{t}_ms_pct": x for t, x in zip(TOLERANCES_MS, self.over_pct, strict=True)}


def live_errors(estimates: Estimates, at_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed error of the live metric at each instant (s); inf where nothing was estimated yet.

    Example:
        >>> estimates = Estimates.build(np.array([1.0]), np.array([10.0]), np.array([2.0]))
        >>> live_errors(estimates, np.array([0.5, 1.5]), np.array([9.0, 10.5])).tolist()
        [inf, 0.5]
    """
    error = np.full(len(at_s), np.inf)
    k = estimates.newest(at_s)
    ok = k >= 0
    k = k[ok]
    error[ok] = estimates.position_s[k] + estimates.rate[k] * (at_s[ok] - estimates.audio_time_s[k]) - target_s[ok]
    return error


def summarise(error_s: NDArray[np.float64]) -> Summary:
    """Figures of signed errors (s), shape (B,), B >= 1."""
    absolute = np.abs(error_s) * 1000
    finite = error_s[np.isfinite(error_s)] * 1000
    return Summary(
        len(absolute),
        round(float(np.median(absolute)), 1),
        round(float(np.median(finite)), 1) if len(finite) else None,
        tuple(round(float(100 * np.mean(absolute > t)), 2) for t in TOLERANCES_MS),
    )
