"""How sure is an estimate? Two logistic regressions on what a follower knows of its estimate.

The confidence is the product of the probability that the estimate is at the piano's position and the probability that
it is exact there. The state `lost` follows from the first alone, so state and confidence cannot contradict each other.

`python -m benchmarks.tracking.confidence_fit SCENARIO...` fits the numbers below, cross-validated over works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

MAX_LOG10_ODDS: Final = 6.0
"""Decades beyond which a belief's odds say no more."""
MAX_EXACT_LOG10_ODDS: Final = 4.0
"""Decades beyond which they do not make a position more exact."""
SILENCE_S: Final = 0.5
"""Time constant in which a silence takes its toll."""
MAX_MARGIN: Final = 10.0
"""Nats of margin beyond which it says no more."""
USUAL_LEAD: Final = 15.0
"""Nats a path leads by as a rule; taken where the frontier does not compare paths."""
MIN_LEAD: Final = -5.0
MAX_LEAD: Final = 20.0
"""Nats of a path's lead, either way, beyond which it says no more."""
MIN_MAP_CONFIDENCE: Final = 0.05
"""Map confidence below which it says no more."""
MIN_CORRECTION_S: Final = 0.001
"""Mean correction below which it says no more."""

# Fit of 2026-11-24 on 37 recordings of 16 works, half of them of real timing, cross-validated over works: the estimates
# of at least .95 (69 % of the 3892 beats) are within 200 ms in 98.7 % of the cases, and never more than a second off.
ON_TRACK: Final = (-1.08, 1.17, 0.39, 0.12, 2.0, -0.90)
"""Bias, then weights of log10_odds, margin, lead, told, silence: log odds of the position. (The weight of `told`
is no fit, for wrong starts are not in the data: a position that somebody tells is believed with .96.)"""
EXACT: Final = (-0.41, 0.70, 0.26, -4.41, 2.34, -0.40)
"""Bias, then weights of log10_odds, margin, silence, log map confidence, log correction: log odds that it is
exact there."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an estimate; of the newest hop in which the piano sounded.

    Attributes:
        log10_odds: log10 odds of the frontier's belief within half a second of the estimate, within +-`MAX_LOG10_ODDS`.
        margin: how much better the newest moments fit the estimate than any other position (nats), see
            `follower.inference.base.Belief`.
        place_log_odds: how much more evidence the path to the believed position has gathered than any path elsewhere
            (nats), see `follower.inference.base.Belief`; 0 where the frontier does not compare.
        told_s: playing time since somebody gave the position, or the piano went on where it had stopped; inf: never.
        silent_s: time since the piano sounded last.
        correction_s: mean distance of the belief from where the estimate would have run on, over the last second or so.
    """

    log10_odds: float
    margin: float
    place_log_odds: float
    told_s: float
    silent_s: float
    correction_s: float = 0.0


NO_EVIDENCE: Final = Evidence(0.0, 0.0, 0.0, math.inf, 0.0)


def log10_odds(share: float) -> float:
    """Log10 odds of a share of belief, within +-`MAX_LOG10_ODDS`.

    >>> log10_odds(0.5), round(log10_odds(0.999), 2), log10_odds(1.0)
    (0.0, 3.0, 6.0)
    """
    odds = max(share, 1e-9) / max(1.0 - share, 1e-9)
    return min(max(math.log10(odds), -MAX_LOG10_ODDS), MAX_LOG10_ODDS)


def on_track_evidence(e: Evidence) -> tuple[float, ...]:
    """What `on_track_log_odds` weighs."""
    margin = min(max(e.margin, -MAX_MARGIN), MAX_MARGIN)
    lead = min(max(e.place_log_odds, MIN_LEAD), MAX_LEAD) if e.place_log_odds != 0.0 else USUAL_LEAD
    return e.log10_odds, margin, lead, math.exp(-e.told_s), math.log1p(e.silent_s)


def exact_evidence(e: Evidence, map_confidence: float) -> tuple[float, ...]:
    """What `exact_odds` weighs; `map_confidence` is that of the map at the estimate, 0..1."""
    return (
        min(e.log10_odds, MAX_EXACT_LOG10_ODDS),
        max(min(e.margin, 0.0), -MAX_MARGIN),
        1.0 - math.exp(-e.silent_s / SILENCE_S),
        math.log(max(map_confidence, MIN_MAP_CONFIDENCE)),
        math.log(max(e.correction_s, MIN_CORRECTION_S)),
    )


def on_track_log_odds(evidence: Evidence) -> float:
    """Log odds that the estimate is at the piano's position, rather than more than a second off in the mix.

    >>> sure = Evidence(3.0, 5.0, 9.0, math.inf, 0.0)
    >>> on_track_log_odds(sure) > 4 > 0 > on_track_log_odds(Evidence(0.0, -9.0, -2.0, math.inf, 0.0))
    True
    """
    return _log_odds(ON_TRACK, on_track_evidence(evidence))


def exact_odds(evidence: Evidence, map_confidence: float) -> float:
    """Log odds that an estimate at the piano's position is within 200 ms in the orchestra recording."""
    return _log_odds(EXACT, exact_evidence(evidence, map_confidence))


def confidence(evidence: Evidence, map_confidence: float) -> float:
    """Probability that the estimate is within 200 ms in the orchestra recording; 0..1.

    >>> confidence(Evidence(4.0, 2.0, 9.0, math.inf, 0.0), 0.95) > 0.9
    True
    """
    return probability(on_track_log_odds(evidence)) * probability(exact_odds(evidence, map_confidence))


def probability(log_odds: float) -> float:
    """The probability of log odds."""
    return 1.0 / (1.0 + math.exp(min(-log_odds, 700.0)))


def _log_odds(weights: tuple[float, ...], evidence: tuple[float, ...]) -> float:
    return weights[0] + sum(w * x for w, x in zip(weights[1:], evidence, strict=True))
