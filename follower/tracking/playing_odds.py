"""Has the pianist stopped, or does the piano rest here as it does in the mix? Log odds from a silence's course.

The mix tells where its piano plays and where it rests: a hidden Markov model of two states over the piano activity,
with hindsight, for the whole mix is known. A pianist who plays as the mix does falls silent where the mix's piano
rests, and is hardly ever silent for long where it plays. One who has stopped is silent everywhere. So with every moment
of silence at a position where the mix's piano plays, the odds of a stop grow, and they stop growing where it rests.

`python -m benchmarks.tracking.playing_fit SCENARIO...` fits the numbers below, cross-validated over works.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from follower.inference.base import Belief
from follower.kernels import sections as kernels

SILENCE: Final = 0.1
"""Presence below which the piano counts as silent."""
ATTACK: Final = 0.2
"""Share of the sound that is new in a hop with a new note: a beating chord reaches .15, a note in music .3."""
KEEPS_TEMPO_S: Final = 1.0
"""The pianist's tempo is expected to go on so long; then the orchestra's own."""
JUMP_S: Final = 1.0
"""An estimate that moves further than this has jumped."""
ACTIVITY_MARGIN: Final = 0.02
"""Activity counts as at least this far from 0 and 1."""
PLAYING_QUANTILE: Final = 0.75
"""Of the activity's log odds: the level at which this mix's piano plays."""
REST_AT_NOTE: Final = 1e-4
"""Probability that the mix's piano rests although the live piano has just played a note."""

# Fit of 2026-11-24 on 64 takes of 24 works, 83 stops and 39 rests: 71 stops are called within 1.5 s, 3 rests are taken
# for a stop, and in playing one is called .20 times a minute; see benchmarks/tracking/playing_fit.py. The fit found
# that high activity says nothing (its own weight became 0), and that the mix's note onsets, which the live piano leaves
# unanswered, add nothing to the silence.
LEVEL_SHARE: Final = 0.75
"""The activity's log odds are moved towards the usual level by this share of the mix's own distance from it,"""
USUAL_LEVEL: Final = 2.0
"""which is this."""
ACTIVITY_WEIGHT: Final = 0.219
"""Of a second of negative log odds; more would count the same evidence many times, for activity is a mean over 1 s."""
RESTS_PER_S: Final = 0.0015
ENTRIES_PER_S: Final = 0.135
"""How often a playing piano begins to rest, and a resting one enters, before the activity is seen."""
STOP_BIAS: Final = -4.07
"""Log odds of a stop at a note. The fit's -4.47 counts stops as often as rests and gaps; .4 more misses fewer stops."""
SILENCE_PER_S: Final = 3.25
"""Nats per second of silence against playing on, where the mix's piano plays,"""
ACTIVE_PER_S: Final = 5.72
"""and so many more times the activity there: a piano that plays has gaps, too."""

GAP_BELOW: Final = 0.05
GAP_ABOVE: Final = 0.15
"""Where the activity is below the first, the mix's piano has a gap itself, and silence says nothing; from the second on
it does. Measured: 3 instead of 6 rests are taken for a stop, and 71 instead of 74 stops are called within 1.5 s."""

ENTRY_S: Final = 6.0
ENTRY_ABOVE: Final = 0.85
SURE_ENTRIES_PER_S: Final = 1.0
"""Where the mean activity over so long is so high, a resting piano has soon entered. Measured on 33 entries that were
left out: 9 instead of 1 are noticed within 8 s, and no more rests are taken for stops; shorter means take more."""


@dataclass(frozen=True, slots=True)
class PlayingOdds:
    """What a silence says.

    Attributes:
        stopped: log odds that the pianist has stopped, against playing on or resting as the mix's piano does.
        doubt: nats by which they have grown since the last note.
        resting: probability that the mix's piano rests here, if the pianist has not stopped.
        position_s: where the pianist would be then (mix s).
    """

    stopped: float
    doubt: float
    resting: float
    position_s: float


class Sections:
    """Where the mix's piano plays and where it rests.

    Args:
        activity: (n,) 0..1, whether each frame of the mix has piano.
        hop_s: seconds per frame.

    Attributes:
        activity: (n,) the activity at this mix's level.
        against: (n,) nats per second by which a silence there speaks against playing on.
        rests: (n,) probability that a piano that plays at frame j rests at the next one,
        enters: (n,) and that a resting one plays; both given the activity of the whole mix.
    """

    def __init__(self, activity: NDArray[np.float64], hop_s: float) -> None:
        kept = np.clip(activity, ACTIVITY_MARGIN, 1.0 - ACTIVITY_MARGIN)
        log_odds = np.log(kept) - np.log1p(-kept)
        log_odds -= LEVEL_SHARE * (float(np.quantile(log_odds, PLAYING_QUANTILE)) - USUAL_LEVEL)
        most = math.log(1.0 / ACTIVITY_MARGIN - 1.0)
        self.activity = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -most, most)))
        self.against = silence_rate(self.activity, SILENCE_PER_S, ACTIVE_PER_S)
        self.rests, self.enters = hazards(self.activity, hop_s, ACTIVITY_WEIGHT, RESTS_PER_S, ENTRIES_PER_S)


def silence_rate(activity: NDArray[np.float64], silence_per_s: float, active_per_s: float) -> NDArray[np.float64]:
    """Nats per second (n,) by which a silence speaks against playing on, see `Sections`."""
    in_gap = np.clip((activity - GAP_BELOW) / (GAP_ABOVE - GAP_BELOW), 0.0, 1.0)
    return np.asarray(in_gap * (silence_per_s + active_per_s * activity))


def hazards(
    activity: NDArray[np.float64], hop_s: float, weight: float, rests_per_s: float, entries_per_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities (n,) that a playing piano rests at the next frame and that a resting one plays, see `Sections`."""
    against = np.minimum(np.log(activity) - np.log1p(-activity), 0.0)
    rests, enters = np.empty((2, len(activity)))
    prior = -math.expm1(-rests_per_s * hop_s), -math.expm1(-entries_per_s * hop_s)
    kernels.transitions(weight * hop_s * against, *prior, rests, enters)
    mean = uniform_filter1d(activity, max(round(ENTRY_S / hop_s), 1), mode="nearest")
    enters = 1.0 - (1.0 - enters) * np.where(mean > ENTRY_ABOVE, math.exp(-SURE_ENTRIES_PER_S * hop_s), 1.0)
    return rests, enters


class Listening:
    """Weighs, hop by hop, that no new note of the piano is heard.

    Args:
        sections: of the mix.
        hop_s: seconds per hop and frame.

    Attributes:
        heard_s: position of the last new note, or of a jump since (mix s).

    Example:
        >>> listening = Listening(Sections(np.ones(2000), 0.02), 0.02)
        >>> note, silence = (Belief(10.0, 1.0, 0.9, p, 0.0, attack=p) for p in (1.0, 0.0))
        >>> before = listening.update(note, 10.0, 1.0, 1.0).stopped
        >>> for _ in range(50):
        ...     odds = listening.update(silence, 10.0, 1.0, 1.0)
        >>> before < -5 < 1 < odds.stopped
        True
    """

    def __init__(self, sections: Sections, hop_s: float) -> None:
        self._sections = sections
        self._hop_s = hop_s
        self.move_to(0.0)

    def move_to(self, mix_s: float) -> None:
        """A note at a position (mix s), or a jump there."""
        self._plays, self._rests = 1.0 - REST_AT_NOTE, REST_AT_NOTE
        self._since_s = 0.0
        self.heard_s = mix_s
        self._position_s = mix_s
        self._frame = self._frame_at(mix_s)

    def update(self, belief: Belief, position_s: float, tempo: float, orchestra_tempo: float) -> PlayingOdds:
        """Take a hop.

        Args:
            belief: of the hop.
            position_s: estimated position (mix s) before the hop.
            tempo: of the estimate (mix seconds per live second) while the piano was heard.
            orchestra_tempo: mix seconds per live second when the orchestra recording plays at its own tempo.
        """
        sounding = belief.presence >= SILENCE
        if sounding and (belief.attack >= ATTACK or abs(position_s - self._position_s) > JUMP_S):
            self.move_to(position_s)
        else:
            self._since_s += self._hop_s
            if sounding:
                self._position_s = position_s
            else:
                self._position_s += self._hop_s * (tempo if self._since_s < KEEPS_TEMPO_S else orchestra_tempo)
            self._advance()
            if not sounding:
                self._plays *= math.exp(-float(self._sections.against[self._frame]) * self._hop_s)
        left = max(self._plays + self._rests, 1e-300)
        doubt = max(-math.log(left), 0.0)
        return PlayingOdds(STOP_BIAS + doubt, doubt, self._rests / left, self._position_s)

    def _advance(self) -> None:
        """Let the sections change over the frames passed."""
        to = self._frame_at(self._position_s)
        for j in range(self._frame, to):
            rests, enters = float(self._sections.rests[j]), float(self._sections.enters[j])
            self._plays, self._rests = (
                self._plays * (1.0 - rests) + self._rests * enters,
                self._plays * rests + self._rests * (1.0 - enters),
            )
        self._frame = max(self._frame, to)

    def _frame_at(self, mix_s: float) -> int:
        return min(max(int(mix_s / self._hop_s), 0), len(self._sections.rests) - 1)
