"""What a confidence is worth: error against coverage, and the share of good estimates per bin of confidence."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.json_numbers import finite_or_none

CALIBRATED_WITHIN_S: Final = 0.2
CONFIDENCE_LEVELS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True)
class CoverageRow:
    """Accuracy of the estimates whose confidence is `confidence` or more, at the `coverage_pct` of beats they cover."""

    confidence: float
    coverage_pct: float
    median_ms: float
    over_200_pct: float
    over_500_pct: float
    over_2000_pct: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        return {f.name: finite_or_none(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class CalibrationBin:
    """Beats with a confidence in [low, high): how many, their mean confidence, the share within 200 ms."""

    low: float
    high: float
    beats: int
    mean_confidence: float
    within_share: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        return {f.name: finite_or_none(getattr(self, f.name)) for f in fields(self)}


def coverage(error_s: NDArray[np.float64], confidence: NDArray[np.float64]) -> list[CoverageRow]:
    """Error against coverage: only estimates of a minimum confidence count.

    Args:
        error_s: signed error at each beat (s); inf without an estimate.
        confidence: confidence of the estimate at each beat, NaN where there is no estimate.
    """
    absolute = np.abs(error_s) * 1000
    rows = []
    for level in CONFIDENCE_LEVELS:
        kept = absolute[np.isfinite(absolute) & (confidence >= level)]
        share = 100 * len(kept) / max(len(absolute), 1)
        if not len(kept):
            rows.append(CoverageRow(level, 0.0, math.nan, math.nan, math.nan, math.nan))
            continue
        over = [float(100 * np.mean(kept > t)) for t in (200, 500, 2000)]
        rows.append(CoverageRow(level, share, float(np.median(kept)), *over))
    return rows


def calibration(error_s: NDArray[np.float64], confidence: NDArray[np.float64], bins: int = 10) -> list[CalibrationBin]:
    """Share of beats within 200 ms per bin of confidence; beats without a estimate are left out."""
    known = np.isfinite(error_s) & np.isfinite(confidence)
    within = np.abs(error_s[known]) <= CALIBRATED_WITHIN_S
    confidence = confidence[known]
    index = np.clip((confidence * bins).astype(np.int64), 0, bins - 1)
    out = []
    for b in range(bins):
        inside = index == b
        n = int(inside.sum())
        out.append(
            CalibrationBin(
                b / bins,
                (b + 1) / bins,
                n,
                float(confidence[inside].mean()) if n else math.nan,
                float(within[inside].mean()) if n else math.nan,
            )
        )
    return out
