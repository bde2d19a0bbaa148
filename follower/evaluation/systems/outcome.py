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

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


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
        target_s: true position at each evaluation beat, shape (B,); None where it is not known.
        heard: which beats the orchestra attacks at, shape (B,); None for positions in another recording.
        estimates: what was reported over time; None for systems that do not estimate over time.
        curve: instants of the piano at which the truth is known (s, increasing), and the true positions there, both of
            shape (K,); None as for `estimates`.
    """

    error_s: NDArray[np.float64]
    confidence: NDArray[np.float64]
    behaviour: Behaviour | None
    compute_s: float
    notes: tuple[str, ...] = ()
    tempo_changes: NDArray[np.bool_] | None = None
    target_s: NDArray[np.float64] | None = None
    heard: NDArray[np.bool_] | None = None
    estimates: Estimates | None = None
    curve: Curve | None = None


def outcome_of(
    estimates: Estimates,
    beat_s: NDArray[np.float64],
    target_s: NDArray[np.float64],
    curve: Curve,
    compute_s: float,
    notes: tuple[str, ...] = (),
    heard: NDArray[np.bool_] | None = None,
) -> Outcome:
    """Measure a system's estimates.

    Args:
        estimates: reports of the run.
        beat_s: instants of the evaluation beats in the live piano, shape (B,).
        target_s: true positions at them, shape (B,).
        curve: instants at which the truth is known, increasing, and the true positions there, both of shape (K,).
        compute_s: seconds the system took.
        notes: for a person to read.
        heard: which of the beats the orchestra attacks at, shape (B,); None where that does not matter.
    """
    newest = estimates.newest(beat_s)
    confidence = np.full(len(beat_s), np.nan)
    confidence[newest >= 0] = estimates.confidence[newest[newest >= 0]]
    error_s, changes = live_errors(estimates, beat_s, target_s), at_large_changes(beat_s, target_s)
    shown = behaviour(estimates, *curve)
    return Outcome(error_s, confidence, shown, compute_s, notes, changes, target_s, heard, estimates, curve)


def nothing_found(
    target_s: NDArray[np.float64], error: AlignmentError, heard: NDArray[np.bool_] | None = None
) -> Outcome:
    """A system that found no alignment estimates nothing: every beat is an infinite error.

    Args:
        target_s: true positions at the evaluation beats, shape (B,).
        error: says why.
        heard: see `outcome_of`.
    """
    none = np.full(len(target_s), np.nan)
    notes = (f"no alignment: {error}",)
    return Outcome(np.full(len(target_s), np.inf), none, None, 0.0, notes, target_s=target_s, heard=heard)
