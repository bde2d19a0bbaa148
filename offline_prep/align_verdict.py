"""Does prep's result make sense? Plain words for what a user can do something about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DISTINCT = 1.8
"""A right pair scores at least 1.9 times as much as the same pair wrongly transposed (33 pairs, median 8)..."""
INDISTINCT = 1.5
"""... and unrelated pieces at most 1.3 times (14 pairs)."""
LOW_CONFIDENCE = 0.5


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


def judge(
    distinctness: float, confidence: float, transposition: int, semitones_apart: float, swapped: bool
) -> Verdict:
    """Judge an alignment.

    Args:
        distinctness: score of the overview over its score at the best wrong transposition.
        confidence: mean confidence where matched.
        transposition: semitones the orchestra recording had to be raised; +-1 is tuning, not worth a word.
        semitones_apart: how much higher the mix sounds, transposition and tuning together.
        swapped: the "orchestra recording" has more onsets of its own than the "full mix".
    """
    if distinctness < INDISTINCT:
        return Verdict(
            Fit.DIFFERENT,
            (
                "the orchestra recording and the full mix do not seem to be the same piece (they match "
                f"{distinctness:.1f} times as well as in a wrong key, right pairs {DISTINCT:g} times or more); "
                "check both files",
            ),
        )
    messages = []
    if abs(transposition) > 1:
        messages.append(
            f"the full mix sounds {abs(semitones_apart):.1f} semitones {'above' if semitones_apart > 0 else 'below'} "
            "the orchestra recording: they were aligned, but played together they will clash; "
            "is one of them transposed or at the wrong speed?"
        )
    if swapped:
        messages.append(
            "the first recording has more notes of its own than the second; are the orchestra recording and the full "
            "mix given in the wrong order?"
        )
    if distinctness >= DISTINCT and confidence >= LOW_CONFIDENCE:
        return Verdict(Fit.GOOD, tuple(messages))
    messages.append(
        f"the recordings match only loosely (mean confidence {confidence:.2f}); look at the plot of `follower inspect`"
    )
    return Verdict(Fit.DOUBTFUL, tuple(messages))
