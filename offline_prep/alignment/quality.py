"""Does prep's result make sense? Plain words for what a user can do something about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DISTINCT = 1.8
"""Scores of right pairs are 1.4 to 30 times those of the same pair wrongly transposed (45 pairs, two under 2), of
unrelated pieces 1.0 to 1.3 times (24 pairs)."""
MIN_COVERAGE = 0.5
"""Right pairs match over .8 of the shorter recording or more, unrelated pieces over .05 to .43."""
LOW_CONFIDENCE = 0.5
MIN_LENGTH_RATIO = 0.5
"""A cadenza or a tutti more or less leaves the recordings of a movement closer in length than this."""


class Fit(StrEnum):
    """How well the recordings belong together."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Quality:
    """The overall result.

    Attributes:
        fit: see `Fit`.
        messages: what the user should know, one sentence each; empty when all is well.
    """

    fit: Fit
    messages: tuple[str, ...]


def assess(
    distinctness: float,
    coverage: float,
    confidence: float,
    transposition: int,
    semitones_apart: float,
    orchestra_s: float,
    mix_s: float,
) -> Quality:
    """Assess an alignment.

    Args:
        distinctness: score of the overview over its score at the best wrong transposition.
        coverage: seconds of the mix that are matched over the length of the shorter recording.
        confidence: mean confidence where matched.
        transposition: semitones the orchestra recording had to be raised; +-1 is tuning and brings no message.
        semitones_apart: how much higher the mix sounds, transposition and tuning together.
        orchestra_s: length of the orchestra recording.
        mix_s: length of the full mix.
    """
    if distinctness < DISTINCT and coverage < MIN_COVERAGE:
        return Quality(
            Fit.DIFFERENT,
            (
                f"the orchestra recording and the full mix do not seem to be the same piece (only {coverage:.0%} "
                f"matches, {distinctness:.1f} times as well as in a wrong key); check both files",
            ),
        )
    messages = []
    if abs(transposition) > 1:
        messages.append(
            f"the full mix sounds {abs(semitones_apart):.1f} semitones {'above' if semitones_apart > 0 else 'below'} "
            "the orchestra recording: they were aligned, but played together they will clash; "
            "is one of them transposed or at the wrong speed?"
        )
    loose = distinctness < DISTINCT or confidence < LOW_CONFIDENCE
    uneven = min(orchestra_s, mix_s) < MIN_LENGTH_RATIO * max(orchestra_s, mix_s)
    if uneven:
        messages.append(
            f"the orchestra recording lasts {orchestra_s:.0f} s, the full mix {mix_s:.0f} s: in most of the longer one "
            "nothing can be followed; are both the whole piece?"
        )
    if not loose and not uneven:
        return Quality(Fit.GOOD, tuple(messages))
    if loose:
        messages.append(
            f"the recordings match only loosely (mean confidence {confidence:.2f}); "
            "look at the plot of `follower inspect`"
        )
    return Quality(Fit.DOUBTFUL, tuple(messages))
