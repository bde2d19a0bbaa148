"""What one system did on one scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from follower.errors import AlignmentError
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.behaviour import Behaviour, behaviour
from follower.evaluation.estimates import Estimates
from follower.evaluation.tempo_changes import at_large_changes


@dataclass(frozen=True)
class Outcome:
    """What one system did on one scenario.

    Attributes:
        error_s: signed error at each evaluation beat; inf where nothing was estimated. Shape (B,).
        confidence: confidence of the estimates at the beats, NaN where the system has none. Shape (B,).
        behaviour: what the beats do not show; None for systems that do not estimate over time.
        compute_s: seconds the system took after preparation.
        notes: what a person should know, e.g. that no alignment exists.
        tempo_changes: which beats end a large change of tempo, shape (B,); None for systems that do not follow a piano.
    """

    error_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    behaviour: Behaviour | None
    compute_s: float
    notes: tuple[str, ...] = ()
    tempo_changes: NDArray[np.bool_] | None = None


def outcome_of(
    estimates: Estimates,
    beat_s: NDArray[np.float64],
    target_s: NDArray[np.float64],
    curve: tuple[NDArray[np.float64], NDArray[np.float64]],
    compute_s: float,
    notes: tuple[str, ...] = (),
) -> Outcome:
    """Measure a system's estimates.

    Args:
        estimates: reports of the run.
        beat_s: instants of the evaluation beats in the live piano, shape (B,).
        target_s: true positions at them, shape (B,).
        curve: instants at which the truth is known, increasing, and the true positions there, both of shape (K,).
        compute_s: seconds the system took.
        notes: for a person to read.
    """
    newest = estimates.newest(beat_s)
    confidence = np.full(len(beat_s), np.nan)
    confidence[newest >= 0] = estimates.confidence[newest[newest >= 0]]
    error_s, changes = live_errors(estimates, beat_s, target_s), at_large_changes(beat_s, target_s)
    return Outcome(error_s, confidence, behaviour(estimates, *curve), compute_s, notes, changes)


def nothing_found(beats: int, error: AlignmentError) -> Outcome:
    """A system that found no alignment estimates nothing: every beat is an infinite error."""
    return Outcome(np.full(beats, np.inf), np.full(beats, np.nan), None, 0.0, (f"no alignment: {error}",))
