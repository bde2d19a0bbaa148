"""Kernels of one hop of the bleed canceller. Oracle: tests/naive/bleed.py.

In NumPy a hop is some fifty calls on 88 numbers, which cost more than all else that is done to them.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True)
def predict(
    orchestra: NDArray[np.float32], first: int, end: int, decay: float, surely_played: Array, predicted: Array
) -> None:
    """What sounds of the orchestra recording, semitone by semitone.

    Args:
        orchestra: (n, k) amplitudes of the recording.
        first: first frame that may sound now.
        end: frame after the last that may.
        decay: what the room keeps of the hop before.
        surely_played: (k,), written: the least of these frames.
        predicted: (k,), updated: the most of these frames, or what is left of the hops before.
    """
    for i in range(orchestra.shape[1]):
        least = most = orchestra[first, i]
        for frame in range(first + 1, end):
            least = min(least, orchestra[frame, i])
            most = max(most, orchestra[frame, i])
        surely_played[i] = least
        predicted[i] = max(predicted[i] * decay, most)


@njit(cache=True)
def count(
    power: Array,
    surely_played: Array,
    register: NDArray[np.int64],
    loud: float,
    min_db: int,
    tiny: float,
    counts: Array,
) -> None:
    """Count how many dB the live power is above what is played, in the semitones in which the orchestra is loud.

    Args:
        power: (k,) live.
        surely_played: (k,) amplitudes.
        register: (k,) row of `counts` of each semitone.
        loud: amplitude from which a semitone is counted.
        min_db: lower end of the first bin, of 1 dB; what is outside the bins goes into the first and the last.
        tiny: smallest power.
        counts: (registers, bins), updated.
    """
    bins = counts.shape[1]
    for i in range(len(power)):
        if surely_played[i] > loud:
            ratio_db = 10.0 * math.log10(max(power[i], tiny)) - 20.0 * math.log10(surely_played[i])
            counts[register[i], min(max(math.floor(ratio_db) - min_db, 0), bins - 1)] += 1.0


@njit(cache=True)
def low_quantile(counts: Array, shared: float, quantile: float, enough: float, out: NDArray[np.int64]) -> None:
    """Bin of each register's quantile; -1 where too little was counted.

    Args:
        counts: (registers, bins).
        shared: weight of the other registers' counts.
        quantile: share of the counts up to that bin.
        enough: counts a register needs.
        out: (registers,), written.
    """
    registers, bins = counts.shape
    pooled = np.zeros(bins)
    for r in range(registers):
        for b in range(bins):
            pooled[b] += counts[r, b]
    for r in range(registers):
        total = 0.0
        for b in range(bins):
            total += counts[r, b] + shared * pooled[b]
        out[r] = -1
        if total < enough:
            continue
        below = 0.0
        for b in range(bins):
            below += counts[r, b] + shared * pooled[b]
            if below >= quantile * total:
                out[r] = b
                break


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    played, predicted, register = np.ones(2), np.zeros(2), np.zeros(2, np.int64)
    orchestra = np.ones((3, 2), np.float32)
    predict(orchestra, 0, 3, 0.5, played, predicted)
    orchestra.setflags(write=False)  # as a cache's arrays are: to numba a type of its own
    predict(orchestra, 0, 3, 0.5, played, predicted)
    counts = np.zeros((1, 4))
    count(np.ones(2), played, register, 0.5, -2, 1e-18, counts)
    low_quantile(counts, 0.1, 0.03, 1.0, np.zeros(1, np.int64))
