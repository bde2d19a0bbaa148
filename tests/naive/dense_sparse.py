"""Slow oracle of `follower.kernels.dense_sparse`: whole matrices, whole windows, any entry costs and step weights."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def dense_sparse_with_entry(
    C: NDArray[np.float64],
    gaps: NDArray[np.int64],
    weights: tuple[float, float, float],
    entry: NDArray[np.float64],
    penalties: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> NDArray[np.float64]:
    """Accumulated costs (M, N) when a path may begin in any cell for entry[row, column]."""
    M, N = C.shape
    D = np.full((M, N), np.inf)
    for c in range(N):
        for r in range(M):
            candidates = [entry[r, c] + C[r, c]]
            if r >= 2 and gaps[r - 2] == 1 and gaps[r - 1] == 1:
                for (rows, columns), w, penalty in zip(((1, 1), (1, 2), (2, 1)), weights, penalties, strict=True):
                    if c >= columns:
                        candidates.append(C[r, c] * w + D[r - rows, c - columns] + penalty)
            elif r >= 1:
                g = int(gaps[r - 1])
                window = D[r - 1, max(c - 2 * g, 0) : max(c - math.ceil(g / 2) + 1, 0)]
                candidates.extend((window + C[r, c]).tolist())
            D[r, c] = min(candidates)
    return D
