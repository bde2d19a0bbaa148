"""What speaks for an estimate, gathered hop by hop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from follower.inference.base import Belief
from follower.tracking.hearing import Hearing

MAX_LOG10_ODDS: Final = 6.0
"""Log10 odds of a belief beyond which they say no more."""
MAX_SETTLED: Final = 4.0
"""Log10 odds of a belief beyond which they do not make a position more exact."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an estimate; of the newest hop in which the piano sounded.

    Attributes:
        log10_odds: log10 odds of the frontier's belief within half a second of the estimate, within +-`MAX_LOG10_ODDS`.
        settled: mean of `log10_odds`, each at most `MAX_SETTLED`, over the last second or so of playing since the
            estimate began.
        margin: how much better the newest moments fit the estimate than any other position (nats), see
            `follower.inference.base.Belief`.
        age_s: seconds of playing since the estimate began or jumped.
        silent_s: seconds since the piano sounded last.
    """

    log10_odds: float
    settled: float
    margin: float
    age_s: float
    silent_s: float


NO_EVIDENCE: Final = Evidence(0.0, 0.0, 0.0, 0.0, 0.0)


def log10_odds(share: float) -> float:
    """Log10 odds of a share of belief, within +-`MAX_LOG10_ODDS`.

    >>> log10_odds(0.5), round(log10_odds(0.999), 2), log10_odds(1.0)
    (0.0, 3.0, 6.0)
    """
    odds = max(share, 1e-9) / max(1.0 - share, 1e-9)
    return min(max(math.log10(odds), -MAX_LOG10_ODDS), MAX_LOG10_ODDS)


class EvidenceGatherer:
    """Gathers the evidence for the estimate.

    Args:
        hop_s: seconds per hop.
        settle_s: time constant, of playing, in which a new estimate settles.

    Attributes:
        evidence: for the newest estimate.
    """

    def __init__(self, hop_s: float, settle_s: float) -> None:
        self._hop_s = hop_s
        self._settle_s = settle_s
        self.reset()

    def reset(self) -> None:
        """There is no estimate."""
        self.evidence = NO_EVIDENCE
        self._began_at_s = 0.0

    def begin(self, heard_s: float) -> None:
        """The estimate begins, or has jumped, after so much playing (s)."""
        self._began_at_s = heard_s

    def update(self, belief: Belief, hearing: Hearing, away: bool) -> None:
        """Take a hop; in a silence what spoke for the estimate stays.

        Args:
            belief: of the frontier.
            hearing: this hop included.
            away: whether the belief has left the estimate, so that its concentration speaks against it.
        """
        before = self.evidence
        if hearing.silent:
            self.evidence = replace(before, silent_s=hearing.silent_s)
            return
        age_s = hearing.heard_s - self._began_at_s
        share = belief.concentration
        now = log10_odds(min(share, 1 - share) if away else share)
        settled = before.settled if age_s > before.age_s else 0.0  # a new estimate has yet to settle
        settled += self._hop_s * belief.presence / self._settle_s * (min(now, MAX_SETTLED) - settled)
        self.evidence = Evidence(now, settled, belief.margin, age_s, 0.0)
