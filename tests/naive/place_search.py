"""Plain versions of `follower.kernels.place_search`, one state at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def extend_paths(
    paths: NDArray[np.float64], score: NDArray[np.float64], shift: NDArray[np.int64], change: float, floor: float
) -> NDArray[np.float64]:
    """Best log evidence of a path that ends in each (tempo, position) one step later."""
    n_tempi, n = paths.shape
    out = np.empty((n_tempi, n))
    for r in range(n_tempi):
        for j in range(n):
            i = j - shift[r]
            froms = [floor]
            if i >= 0:
                froms = [paths[q, i] - change * abs(q - r) for q in range(n_tempi) if abs(q - r) <= 1]
            out[r, j] = max(froms) + score[j]
    return out


def settle_paths(
    paths: NDArray[np.float64], here: float, first: int, end: int, handicap: float, floor: float
) -> NDArray[np.float64]:
    """Every path in relation to the best one here."""
    out = np.array(paths, dtype=np.float64) - here
    for j in range(out.shape[1]):
        if not first <= j < end:
            out[:, j] -= handicap
    return np.maximum(out, floor)
