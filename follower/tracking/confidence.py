"""How sure is a claim? Two logistic regressions on what a follower knows of its claim.

`python benchmarks/tracking/confidence_fit.py SCENARIO...` fits the numbers below, cross-validated over works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_SURE = 6.0
"""Decades beyond which a belief's odds say no more."""
SETTLED_MOST = 4.0
"""Decades beyond which they do not make a place more exact."""
SILENCE_S = 0.5
"""Time constant in which a silence takes its toll."""
LEAST_MAP = 0.05
"""Map confidence below which it says no more."""

PLACE_BIAS, PLACE_DECADES, PLACE_MARGIN, PLACE_NEW = 1.81, 0.69, 0.49, -2.24
RIGHT_BIAS, RIGHT_DECADES, RIGHT_SETTLED, RIGHT_MARGIN, RIGHT_SILENCE, RIGHT_MAP = -0.22, 0.80, 0.29, 0.32, -4.45, 2.66


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a claim; of the newest hop in which the piano sounded.

    Attributes:
        decades: log10 odds of the frontier's belief within half a second of the claim, within +-`MOST_SURE`.
        settled: mean of that (at most `SETTLED_MOST`) over the last second or so of playing since the claim began.
        margin: how much better the newest moments fit the claim than any other place (nats), see
            `follower.inference.base.Belief`.
        age_s: playing time since the claim began or jumped.
        silent_s: time since the piano sounded last.
    """

    decades: float
    settled: float
    margin: float
    age_s: float
    silent_s: float


def decades(share: float) -> float:
    """Log10 odds of a share of belief, within +-`MOST_SURE`.

    >>> decades(0.5), round(decades(0.999), 2), decades(1.0)
    (0.0, 3.0, 6.0)
    """
    odds = max(share, 1e-9) / max(1.0 - share, 1e-9)
    return min(max(math.log10(odds), -MOST_SURE), MOST_SURE)


def place_odds(evidence: Evidence) -> float:
    """Log odds that the claim is at the piano's place, rather than more than a second off in the mix.

    >>> place_odds(Evidence(3.0, 3.0, 5.0, 9.0, 0.0)) > 4 > 0 > place_odds(Evidence(3.0, 3.0, -9.0, 9.0, 0.0))
    True
    """
    new = math.exp(-evidence.age_s)
    return PLACE_BIAS + PLACE_DECADES * evidence.decades + PLACE_MARGIN * evidence.margin + PLACE_NEW * new


def confidence(evidence: Evidence, map_confidence: float) -> float:
    """Probability that the claim is within 200 ms in the orchestra recording; 0..1.

    >>> round(confidence(Evidence(4.0, 3.5, 2.0, 9.0, 0.0), 0.95), 2)
    0.98
    """
    x = (
        RIGHT_BIAS
        + RIGHT_DECADES * min(evidence.decades, SETTLED_MOST)
        + RIGHT_SETTLED * evidence.settled
        + RIGHT_MARGIN * min(evidence.margin, 0.0)
        + RIGHT_SILENCE * (1.0 - math.exp(-evidence.silent_s / SILENCE_S))
        + RIGHT_MAP * math.log(max(map_confidence, LEAST_MAP))
    )
    return 1.0 / (1.0 + math.exp(min(-x, 700.0)))
