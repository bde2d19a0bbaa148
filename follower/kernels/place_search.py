"""Kernels of the search for rival places. Oracles: tests/naive/place_search.py."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def extend_paths(
    paths: NDArray[np.float32],
    score: NDArray[np.float32],
    shift: NDArray[np.int64],
    change: float,
    floor: float,
    out: NDArray[np.float32],
    best: NDArray[np.float32],
) -> None:
    """Let every path move on by its tempo, or by a neighbouring one at a price, and add the score of where it arrives.

    Args:
        paths: (r, n), log evidence of the best path that ends at position j in tempo state r.
        score: (n,), log likelihood of the newest step at each position.
        shift: (r,), positions each tempo state moves in this step.
        change: price of a step to a neighbouring tempo state (nats).
        floor: log evidence of a path that begins where none could have come from.
        out: (r, n), written.
        best: (n,), written: the best of `out` over the tempi.
    """
    n_tempi, n = paths.shape
    price, begin = np.float32(change), np.float32(floor)
    best[:] = -np.inf
    for r in range(n_tempi):
        d = min(shift[r], n)
        same, up, down = paths[r], paths[min(r + 1, n_tempi - 1)], paths[max(r - 1, 0)]
        row = out[r]
        for j in range(d):
            row[j] = begin + score[j]
        for j in range(d, n):
            i = j - d
            row[j] = max(same[i], max(up[i], down[i]) - price) + score[j]
        for j in range(n):
            best[j] = max(best[j], row[j])


@njit(cache=True)
def settle_paths(paths: NDArray[np.float32], here: float, first: int, end: int, handicap: float, floor: float) -> None:
    """Take `here` off every path (r, n), and `handicap` too outside positions first..end; none falls below `floor`."""
    top, least = np.float32(here), np.float32(floor)
    far = np.float32(here + handicap)
    for r in range(paths.shape[0]):
        row = paths[r]
        for j in range(first):
            row[j] = max(row[j] - far, least)
        for j in range(first, end):
            row[j] = max(row[j] - top, least)
        for j in range(end, row.shape[0]):
            row[j] = max(row[j] - far, least)


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    paths, out = np.zeros((3, 8), np.float32), np.zeros((3, 8), np.float32)
    line, best = np.zeros(8, np.float32), np.zeros(8, np.float32)
    extend_paths(paths, line, np.array([0, 1, 2]), 1.0, -9.0, out, best)
    settle_paths(out, 1.0, 2, 4, 0.1, -9.0)
