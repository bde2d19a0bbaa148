"""Does prep's result make sense? Plain words for what a user can do something about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fit(StrEnum):
    """How well the recordings belong together."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Verdict:
    """The overall judgement.

    Attributes:
        fit: see `Fit`.
        messages: what the user should know, one sentence each; empty when all is well.
    """

    fit: Fit
    messages: tuple[str, ...]


LEAST_STRENGTH = 0.09
"""Right pairs reach .14 to .34, unrelated music .03 to .07."""
LEAST_COVERAGE = 0.3
"""Share of the shorter recording that is matched: right pairs with a long cut reach .5, unrelated music .1."""
DOUBTFUL_CONFIDENCE = 0.5


def judge(strength: float, coverage: float, confidence: float, transposition: int, semitones_apart: float) -> Verdict:
    """Judge an alignment.

    Args:
        strength: of `align_confidence.strength`, on the coarse stage.
        coverage: share of the shorter recording that lies in chains.
        confidence: mean confidence where matched.
        transposition: semitones the orchestra recording had to be raised.
        semitones_apart: how much higher the mix sounds, transposition and tuning together.
    """
    messages = []
    if strength < LEAST_STRENGTH or coverage < LEAST_COVERAGE:
        messages.append(
            f"the orchestra recording and the full mix do not seem to be the same piece (strength {strength:.2f}, "
            f"{100 * coverage:.0f} % matched); check both files"
        )
        return Verdict(Fit.DIFFERENT, tuple(messages))
    if abs(transposition) > 1:
        messages.append(
            f"the full mix sounds {abs(semitones_apart):.1f} semitones {'above' if semitones_apart > 0 else 'below'} "
            "the orchestra recording: they were aligned, but played together they will clash; "
            "is one of them transposed or at the wrong speed?"
        )
    fit = Fit.GOOD
    if confidence < DOUBTFUL_CONFIDENCE:
        fit = Fit.DOUBTFUL
        messages.append(
            f"the recordings match only loosely (mean confidence {confidence:.2f}); look at `follower inspect`"
        )
    return Verdict(fit, tuple(messages))
