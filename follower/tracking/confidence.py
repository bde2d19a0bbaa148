"""How sure is an estimate? Two logistic regressions on what speaks for it.

`python -m benchmarks.tracking.confidence_fit SCENARIO...` fits the numbers below, cross-validated over works.
"""

from __future__ import annotations

import math

from follower.tracking.evidence import MAX_SETTLED, Evidence

SILENCE_S = 0.5
"""Time constant in which a silence takes its toll."""
MIN_MAP_CONFIDENCE = 0.05
"""Map confidence below which it says no more."""

ON_TRACK_BIAS, ON_TRACK_LOG10_ODDS, ON_TRACK_MARGIN, ON_TRACK_NEW = 1.81, 0.69, 0.49, -2.24
RIGHT_BIAS, RIGHT_LOG10_ODDS, RIGHT_SETTLED, RIGHT_MARGIN, RIGHT_SILENCE, RIGHT_MAP = (
    -0.22,
    0.80,
    0.29,
    0.32,
    -4.45,
    2.66,
)


def on_track_log_odds(evidence: Evidence) -> float:
    """Log odds that the estimate is at the piano's position, rather than more than a second off in the mix.

    >>> fits, does_not = Evidence(3.0, 3.0, 5.0, 9.0, 0.0), Evidence(3.0, 3.0, -9.0, 9.0, 0.0)
    >>> on_track_log_odds(fits) > 4 > 0 > on_track_log_odds(does_not)
    True
    """
    new = math.exp(-evidence.age_s)
    return (
        ON_TRACK_BIAS
        + ON_TRACK_LOG10_ODDS * evidence.log10_odds
        + ON_TRACK_MARGIN * evidence.margin
        + ON_TRACK_NEW * new
    )


def confidence(evidence: Evidence, map_confidence: float) -> float:
    """Probability that the estimate is within 200 ms in the orchestra recording; 0..1.

    >>> round(confidence(Evidence(4.0, 3.5, 2.0, 9.0, 0.0), 0.95), 2)
    0.98
    """
    x = (
        RIGHT_BIAS
        + RIGHT_LOG10_ODDS * min(evidence.log10_odds, MAX_SETTLED)
        + RIGHT_SETTLED * evidence.settled
        + RIGHT_MARGIN * min(evidence.margin, 0.0)
        + RIGHT_SILENCE * (1.0 - math.exp(-evidence.silent_s / SILENCE_S))
        + RIGHT_MAP * math.log(max(map_confidence, MIN_MAP_CONFIDENCE))
    )
    return 1.0 / (1.0 + math.exp(min(-x, 700.0)))
