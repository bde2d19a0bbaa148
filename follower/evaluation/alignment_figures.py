"""Alignment metrics as mir_eval defines them, for positions at beats.

Source: `mir_eval.alignment` 0.8, with the true positions of the beats as reference timestamps and the estimated ones as
estimated timestamps. Equal to it where it is defined: every beat has an estimate and the pianist never goes back. Else
a beat without an estimate is not correct, overlaps with nothing and scores 0, and a segment over which the pianist goes
back is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.json_numbers import finite_or_none

CORRECT_WITHIN_MS: Final = (100, 300)
"""Tolerances of the percentage correct; 300 ms is mir_eval's."""
SKEWNESS: Final = 1.12244251
LOCATION_S: Final = -0.22270315
SCALE_S: Final = 0.29779424
NORMALISATION: Final = 1.6857
"""The skewed normal distribution that Lizé Masclef, Vaglio and Moussallam (ISMIR 2021) fitted to how listeners rate
lyrics that come too early or too late."""


@dataclass(frozen=True)
class AlignmentFigures:
    """Alignment metrics of one or more runs; percentages of all beats, or of all time between them.

    Attributes:
        estimated_pct: beats with an estimate.
        mean_ms: mean absolute error of the beats with an estimate; NaN without any.
        correct_pct: beats with an absolute error up to each of `CORRECT_WITHIN_MS`.
        segments_pct: share of the time between neighbouring beats in which the estimated segment overlaps the true one.
        perceptual_pct: mean score of the listeners' distribution; about 100 at an error of -70 ms.
    """

    estimated_pct: float
    mean_ms: float
    correct_pct: tuple[float, ...]
    segments_pct: float
    perceptual_pct: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; what is not finite is null."""
        correct = {f"correct_{t}_ms_pct": x for t, x in zip(CORRECT_WITHIN_MS, self.correct_pct, strict=True)}
        return {
            "estimated_pct": round(self.estimated_pct, 2),
            "mean_ms": finite_or_none(round(self.mean_ms, 1)),
            **{name: round(x, 2) for name, x in correct.items()},
            "segments_pct": finite_or_none(round(self.segments_pct, 2)),
            "perceptual_pct": round(self.perceptual_pct, 2),
        }


def alignment_figures(runs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> AlignmentFigures:
    """Measure runs; the beats of all count alike.

    Args:
        runs: signed errors at the beats (s; inf without an estimate) and true positions there (s), each of shape (B,).

    Example:
        >>> figures = alignment_figures([(np.array([0.0, 0.2, 0.2]), np.array([0.0, 1.0, 2.0]))])
        >>> [round(x, 1) for x in (figures.mean_ms, *figures.correct_pct, figures.segments_pct)]
        [133.3, 33.3, 100.0, 90.0]
    """
    from scipy.stats import skewnorm

    error = np.concatenate([e for e, _ in runs])
    absolute_ms = np.abs(error) * 1000
    known = np.isfinite(error)
    score = np.zeros(len(error))
    score[known] = skewnorm.pdf(error[known], SKEWNESS, loc=LOCATION_S, scale=SCALE_S) / NORMALISATION
    overlap_s, true_s = np.sum([_segments(e, target) for e, target in runs], axis=0)
    return AlignmentFigures(
        float(100 * np.mean(known)),
        float(np.mean(absolute_ms[known])) if known.any() else np.nan,
        tuple(float(100 * np.mean(absolute_ms <= t)) for t in CORRECT_WITHIN_MS),
        float(100 * overlap_s / true_s) if true_s > 0 else np.nan,
        float(100 * np.mean(score)),
    )


def _segments(error: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Seconds in which true and estimated segments overlap, and seconds of the true ones."""
    estimated = target + error
    forward = np.diff(target) > 0
    overlap = np.minimum(target[1:], estimated[1:]) - np.maximum(target[:-1], estimated[:-1])
    usable = forward & np.isfinite(estimated[1:]) & np.isfinite(estimated[:-1])
    return float(np.sum(np.maximum(overlap[usable], 0.0))), float(np.sum(np.diff(target)[forward]))
