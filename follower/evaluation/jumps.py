"""Jumps of the pianist in the truth, and of a follower in its estimates."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.evaluation.estimates import Estimates
from follower.evaluation.recovery import LOCK_TOLERANCE_S
from follower.events import State

JUMP_S: Final = 1.0
"""A step of the estimate by more than this, beyond what its rate explains, is a jump."""
JUMP_SETTLING_S: Final = 1.0
"""A jump is assessed by the error this long after it."""
JUMP_CAUSE_S: Final = 8.0
"""A jump this long after the pianist jumped may be the answer to it."""


def jumps_of_truth(piano_s: NDArray[np.float64], target_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the truth's rows before which the pianist jumped (repeated or skipped).

    The cut of a cadenza also moves the orchestra at once, by less than the three seconds required here.
    """
    step = np.diff(target_s)
    return np.flatnonzero((step < -JUMP_S) | (step > 3.0 + 3.0 * np.diff(piano_s))) + 1


def seconds_to_notice(estimates: Estimates, from_s: float, to_s: float) -> float:
    """From an instant on until the follower reports lost or jumps; inf when it does neither by `to_s`."""
    jumped = np.concatenate([[False], np.abs(steps(estimates)[1]) > JUMP_S])[: len(estimates.state)]
    at = estimates.audio_time_s
    noticed = at[(at >= from_s) & (at <= to_s) & (jumped | (estimates.state == State.LOST.value))]
    return float(noticed[0] - from_s) if len(noticed) else math.inf


def steps(estimates: Estimates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each estimate to the next: the step of the position, and the part its rate does not explain."""
    step = np.diff(estimates.position_s)
    return step, step - estimates.rate[:-1] * np.diff(estimates.audio_time_s)


def jumps(
    estimates: Estimates,
    piano_s: NDArray[np.float64],
    error: NDArray[np.float64],
    pianist_jumped_at: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """When the estimate jumped, and which jumps led away from the truth.

    A jump that answers the pianist's own may pass through a wrong position: it counts as false only after
    `JUMP_CAUSE_S`.
    """
    at = estimates.audio_time_s[1:][np.abs(steps(estimates)[1]) > JUMP_S]
    at = at[(at >= piano_s[0]) & (at <= piano_s[-1])]
    after = np.clip(np.searchsorted(piano_s, at + JUMP_SETTLING_S), 0, len(piano_s) - 1)
    away = np.abs(error[after]) > LOCK_TOLERANCE_S
    since = np.array([min((t - j for j in pianist_jumped_at if t >= j), default=math.inf) for t in at])
    return at, away & (since > JUMP_CAUSE_S)


def backward_steps(estimates: Estimates) -> NDArray[np.float64]:
    """Sizes (s) of the steps back, jumps left out."""
    step, unexplained = steps(estimates)
    return -step[(step < 0) & (np.abs(unexplained) <= JUMP_S)]
