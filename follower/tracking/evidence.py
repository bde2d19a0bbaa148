"""What speaks for an estimate, gathered hop by hop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from follower.inference.base import Belief
from follower.tracking.hearing import Hearing

MAX_LOG10_ODDS: Final = 4.0
"""Log10 odds of a belief beyond which they say no more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an estimate; of the newest hop in which the piano sounded.

    Attributes:
        log10_odds: log10 odds of the frontier's belief within half a second of the estimate, within +-`MAX_LOG10_ODDS`.
        margin: how much better the newest moments fit the estimate than any other position (nats), see
            `follower.inference.base.Belief`.
        correction_s: mean distance of the belief from where the estimate would have run on, over the last second or so.
        age_s: seconds of playing since the estimate began or jumped; inf where somebody gave it.
        silent_s: seconds since the piano sounded last.
        given: whether somebody gave the position and no note has confirmed or refuted it yet.
    """

    log10_odds: float
    margin: float
    correction_s: float
    age_s: float
    silent_s: float
    given: bool = False


NO_EVIDENCE: Final = Evidence(0.0, 0.0, 0.0, 0.0, 0.0)
GIVEN: Final = replace(NO_EVIDENCE, age_s=math.inf, given=True)


def log10_odds(share: float) -> float:
    """Log10 odds of a share of belief, within +-`MAX_LOG10_ODDS`.

    >>> log10_odds(0.5), round(log10_odds(0.999), 2), log10_odds(1.0)
    (0.0, 3.0, 4.0)
    """
    odds = max(share, 1e-9) / max(1.0 - share, 1e-9)
    return min(max(math.log10(odds), -MAX_LOG10_ODDS), MAX_LOG10_ODDS)


class EvidenceGatherer:
    """Gathers the evidence for the estimate.

    Args:
        hop_s: seconds per hop.
        correct_s: time constant, of playing, of the mean correction.

    Attributes:
        evidence: for the newest estimate.
    """

    def __init__(self, hop_s: float, correct_s: float) -> None:
        self._share = hop_s / correct_s
        self.reset(given=False)

    def reset(self, given: bool) -> None:
        """Nothing has been heard for or against the estimate; it was given by somebody, or there is none."""
        self.evidence = GIVEN if given else NO_EVIDENCE
        self._began_at_s = -math.inf if given else 0.0

    def begin(self, heard_s: float) -> None:
        """The estimate begins, or has jumped, after so much playing (s)."""
        self._began_at_s = heard_s

    def update(self, belief: Belief, hearing: Hearing, error_s: float, away: bool) -> None:
        """Take a hop; in a silence what spoke for the estimate stays.

        Args:
            belief: of the frontier.
            hearing: this hop included.
            error_s: how far from the estimate the belief is (mix s).
            away: whether the belief has left the estimate, so that its concentration speaks against it.
        """
        before = self.evidence
        if hearing.silent or belief.mix_s is None:
            self.evidence = replace(before, silent_s=hearing.silent_s)
            return
        share = belief.concentration
        self.evidence = Evidence(
            log10_odds=log10_odds(min(share, 1 - share) if away else share),
            margin=belief.margin,
            correction_s=before.correction_s + self._share * (abs(error_s) - before.correction_s),
            age_s=hearing.heard_s - self._began_at_s,
            silent_s=0.0,
        )
