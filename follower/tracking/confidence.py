"""How sure is a claim? Two logistic regressions on what a follower knows of its claim.

`python benchmarks/tracking/confidence_fit.py SCENARIO...` fits the numbers below, cross-validated over works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_LOG10_ODDS = 6.0
"""Decades beyond which a belief's odds say no more."""
MAX_SETTLED = 4.0
"""Decades beyond which they do not make a place more exact."""
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a claim; of the newest hop in which the piano sounded.

    Attributes:
        log10_odds: log10 odds of the frontier's belief within half a second of the claim, within +-`MAX_LOG10_ODDS`.
        settled: mean of that (at most `MAX_SETTLED`) over the last second or so of playing since the claim began.
        margin: how much better the newest moments fit the claim than any other place (nats), see
            `follower.inference.base.Belief`.
        age_s: playing time since the claim began or jumped.
        silent_s: time since the piano sounded last.
    """

    log10_odds: float
    settled: float
    margin: float
    age_s: float
    silent_s: float


def log10_odds(share: float) -> float:
    """Log10 odds of a share of belief, within +-`MAX_LOG10_ODDS`.

    >>> log10_odds(0.5), round(log10_odds(0.999), 2), log10_odds(1.0)
    (0.0, 3.0, 6.0)
    """
    odds = max(share, 1e-9) / max(1.0 - share, 1e-9)
    return min(max(math.log10(odds), -MAX_LOG10_ODDS), MAX_LOG10_ODDS)


def on_track_log_odds(evidence: Evidence) -> float:
    """Log odds that the claim is at the piano's place, rather than more than a second off in the mix.

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
    """Probability that the claim is within 200 ms in the orchestra recording; 0..1.

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
