"""How sure is an estimate? The probability that it is at the piano's position, times that of being exact there.

State and confidence never contradict each other: an estimate that is `lost` is less likely right than not, one that
`following` stands for is not. `python -m benchmarks.tracking.confidence_fit SCENARIO...` fits the numbers below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import mul
from typing import Final

from follower.events import State
from follower.tracking.evidence import Evidence

MAX_MARGIN: Final = 20.0
"""Nats of margin beyond which it says no more."""
MIN_MAP_CONFIDENCE: Final = 0.1
"""Confidence of the map below which it says no more."""
MIN_CORRECTION_S: Final = 0.001
"""Mean correction below which it says no more."""
GAP_S: Final = 0.1
"""Time constant in which a gap in the playing takes its toll: when the orchestra slows down, see `LoopConfig`."""
GIVEN_CONFIDENCE: Final = 0.9
"""Of a position that somebody gave and no note has confirmed or refuted. No fit, for nobody gives one in the data."""
LOST_MAX: Final = 0.49
"""Confidence of a lost estimate at most."""
FOLLOWING_MIN: Final = 0.5
"""Confidence of an estimate that is followed at least."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What the fit finds.

    Attributes:
        on_track: bias, then weights of what `on_track_evidence` gives: log odds of the position.
        exact: bias, then weights of what `exact_evidence` gives: log odds that it is exact there.
        gap_share: share of the confidence of the last note that is left in a gap of the playing.
        rest_share: share of it that is left when the orchestra begins to lead.
        rest_s: time constant of its decay while the orchestra leads (s).
        pause: log odds that the pianist has stopped in what is called a pause: at 0 s, and their rise per second of
            silence.
    """

    on_track: tuple[float, ...]
    exact: tuple[float, ...]
    gap_share: float
    rest_share: float
    rest_s: float
    pause: tuple[float, float]


# fitted: begin
# Fit of 2026-11-27: 48 recordings of 14 works from two starts, 12438 beats, 23 rests, 14 silences called pauses.
# Cross-validated over works: benchmarks/results/confidence_fit.json.
FITTED: Final = Coefficients(
    on_track=(1.546, 1.451, 0.407, -2.121),
    exact=(-0.309, 0.641, 0.284, 2.058, -0.347),
    gap_share=0.682,
    rest_share=0.64,
    rest_s=137.2,
    pause=(-1.939, 1.201),
)
# fitted: end


def on_track_evidence(e: Evidence) -> tuple[float, ...]:
    """What `on_track_log_odds` weighs: log10 odds, margin, newness."""
    return e.log10_odds, min(max(e.margin, -MAX_MARGIN), MAX_MARGIN), math.exp(-e.age_s)


def exact_evidence(e: Evidence, map_confidence: float) -> tuple[float, ...]:
    """What `exact_log_odds` weighs: log10 odds, negative margin, log map confidence, log mean correction."""
    return (
        e.log10_odds,
        max(min(e.margin, 0.0), -MAX_MARGIN),
        math.log(max(map_confidence, MIN_MAP_CONFIDENCE)),
        math.log(max(e.correction_s, MIN_CORRECTION_S)),
    )


def on_track_log_odds(evidence: Evidence, fit: Coefficients = FITTED) -> float:
    """Log odds that the estimate is at the piano's position, rather than more than a second off in the mix.

    >>> fits, does_not = Evidence(3.0, 5.0, 0.01, 9.0, 0.0), Evidence(0.0, -9.0, 0.01, 9.0, 0.0)
    >>> on_track_log_odds(fits) > 4 > 0.5 > on_track_log_odds(does_not)
    True
    """
    return _log_odds(fit.on_track, on_track_evidence(evidence))


def exact_log_odds(evidence: Evidence, map_confidence: float, fit: Coefficients = FITTED) -> float:
    """Log odds that an estimate at the piano's position is within 200 ms in the orchestra recording."""
    return _log_odds(fit.exact, exact_evidence(evidence, map_confidence))


def confidence(evidence: Evidence, map_confidence: float, state: State, fit: Coefficients = FITTED) -> float:
    """Probability that the estimate is within 200 ms in the orchestra recording; 0..1.

    While the orchestra leads, or waits in a pause, it is the probability that the piano will go on within 200 ms of the
    estimate, give or take a twentieth of the rest.

    Args:
        evidence: for the estimate.
        map_confidence: of the map at the estimate, 0..1.
        state: what the pianist is doing.
        fit: coefficients.

    >>> confidence(Evidence(4.0, 2.0, 0.01, 9.0, 0.0), 0.95, State.FOLLOWING) > 0.9
    True
    """
    if evidence.given:
        return GIVEN_CONFIDENCE
    now = sounding_confidence(evidence, map_confidence, fit) * silence_share(evidence.silent_s, state, fit)
    match state:
        case State.FOLLOWING:
            return max(now, FOLLOWING_MIN)
        case State.LOST:
            return min(now, LOST_MAX)
    return now


def sounding_confidence(evidence: Evidence, map_confidence: float, fit: Coefficients = FITTED) -> float:
    """The confidence of the last note, whatever the state."""
    on_track, exact = on_track_log_odds(evidence, fit), exact_log_odds(evidence, map_confidence, fit)
    return probability(on_track) * probability(exact)


def silence_share(silent_s: float, state: State, fit: Coefficients = FITTED) -> float:
    """Share of the confidence of the last note that is left after a silence (s)."""
    if silent_s == 0:
        return 1.0
    match state:
        case State.ORCHESTRA:
            return fit.rest_share * math.exp(-silent_s / fit.rest_s)
        case State.PAUSED:
            return probability(fit.pause[0] + fit.pause[1] * silent_s)
        case State.FOLLOWING | State.LOST:
            return fit.gap_share + (1.0 - fit.gap_share) * math.exp(-silent_s / GAP_S)
    return 1.0


def probability(log_odds: float) -> float:
    """The probability of log odds."""
    return 1.0 / (1.0 + math.exp(min(-log_odds, 700.0)))


def _log_odds(weights: tuple[float, ...], evidence: tuple[float, ...]) -> float:
    return sum(map(mul, weights[1:], evidence), weights[0])
