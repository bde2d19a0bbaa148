"""Slow oracles of `follower.kernels.dense_sparse_offline`: whole matrices, no sliding minimum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

STEPS = ((1, 1), (1, 2), (2, 1))


def dense_sparse(
    C: NDArray[np.float64], gaplens: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.bool_]]:
    """The notebook's D and B, and which rows are dense. Shapes (M, N), (M, N), (M,)."""
    M, N = C.shape
    D = np.full((M, N), np.inf)
    B = np.zeros((M, N), dtype=np.int32)
    dense = np.array([r >= 2 and gaplens[r - 2] == 1 and gaplens[r - 1] == 1 for r in range(M)])
    D[0] = C[0]
    for r in range(1, M):
        for c in range(1, N):
            if dense[r]:
                D[r, c], B[r, c] = _best_step(C, D, r, c, (1.0, 1.0, 2.0))
            else:
                low, high = max(c - 2 * gaplens[r - 1], 0), c - math.ceil(gaplens[r - 1] / 2) + 1
                if high > low:
                    best = low + int(np.argmin(D[r - 1, low:high]))
                    D[r, c], B[r, c] = D[r - 1, best] + C[r, c], c - best
    return D, B, dense


def subsequence(C: NDArray[np.float64], weights: tuple[float, float, float]) -> NDArray[np.float64]:
    """Accumulated cost of plain subsequence DTW, shape (M, N)."""
    D = np.full(C.shape, np.inf)
    D[0] = C[0]
    for r in range(1, C.shape[0]):
        for c in range(C.shape[1]):
            D[r, c], _ = _best_step(C, D, r, c, weights)
    return D


def _best_step(
    C: NDArray[np.float64], D: NDArray[np.float64], r: int, c: int, weights: tuple[float, float, float]
) -> tuple[float, int]:
    best, index = np.inf, -1
    for i, (rows, columns) in enumerate(STEPS):
        if r >= rows and c >= columns and C[r, c] * weights[i] + D[r - rows, c - columns] < best:
            best, index = C[r, c] * weights[i] + D[r - rows, c - columns], i
    return best, index


def path_cost(
    C: NDArray[np.float64], path: NDArray[np.int64], weights: tuple[float, float, float], dense: NDArray[np.bool_]
) -> float:
    """Cost of a path, shape (2, L), summed step by step in the order of the path."""
    total = float(C[path[0, 0], path[1, 0]])
    for (r0, c0), (r1, c1) in zip(path.T[:-1].tolist(), path.T[1:].tolist(), strict=True):
        weight = weights[STEPS.index((r1 - r0, c1 - c0))] if dense[r1] else 1.0
        total = float(C[r1, c1]) * weight + total
    return total
