"""Reading a signal between its samples: the windowed sinc behind `follower.kernels.stretch.read_between`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 32
"""Samples that each value is made of: flat to 0.9 of the highest frequency, images under -90 dB there."""
PHASES = 512
KAISER_BETA = 9.0


def make_table(taps: int = TAPS, phases: int = PHASES) -> NDArray[np.float32]:
    """Return the windowed sinc at every fraction k / phases of a sample, shape (phases + 1, taps).

    At the fraction 0 it is exactly one sample, so that reading at whole positions changes nothing.

    Example:
        >>> make_table(4, 2)[0].tolist()
        [0.0, 1.0, 0.0, 0.0]
    """
    offsets = np.arange(1 - taps // 2, taps // 2 + 1)[np.newaxis, :] - np.arange(phases + 1)[:, np.newaxis] / phases
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1.0 - (offsets / (taps / 2)) ** 2, 0.0, 1.0))) / np.i0(KAISER_BETA)
    table = np.sinc(offsets) * window
    table[0] = offsets[0] == 0
    table[-1] = offsets[-1] == 0
    inner = table[1:-1]
    inner /= inner.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(table, np.float32)
