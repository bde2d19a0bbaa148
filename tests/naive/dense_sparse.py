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


def position_costs(
    column: int,
    totals: NDArray[np.float64],
    rows: NDArray[np.int64],
    gaps: NDArray[np.int64],
    history: list[tuple[float, int]],
    margin: float,
    n: int,
) -> tuple[NDArray[np.float64], list[tuple[float, int]]]:
    """Cost of being at each of n mix frames, and for each row the cost and column with which its gap was entered."""
    costs_at: list[list[float]] = [[] for _ in range(n)]
    updated = []
    for total, row, gap, (cost, since) in zip(totals, rows.tolist(), gaps.tolist(), history, strict=True):
        costs_at[row].append(total)
        if gap > 1:
            if total < cost - margin or column > since + 2 * gap:
                cost, since = total, column
            costs_at[min(row + min(column - since, gap - 1), n - 1)].append(cost)
        updated.append((cost, since))
    return np.array([min(p, default=math.inf) for p in costs_at]), updated
