"""Kernel of how alike two positions of the mix are. Oracle: tests/naive/likeness.py."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def best_cosine(piece: NDArray[np.float32], other: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """Return the largest cosine between a piece and any stretch of its length in another; at least 0.

    Args:
        piece: (k, length).
        other: (k, m); with fewer columns than the piece there is no stretch, and the cosine is 0.
        weights: (k,), how much each row counts.
    """
    k, length = piece.shape
    best = 0.0
    for first in range(other.shape[1] - length + 1):
        product = power = other_power = 0.0
        for row in range(k):
            w = weights[row]
            for j in range(length):
                x, y = piece[row, j], other[row, first + j]
                product += w * x * y
                power += w * x * x
                other_power += w * y * y
        if power * other_power > 0.0:
            best = max(best, product / math.sqrt(power * other_power))
    return min(best, 1.0)


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    best_cosine(np.ones((2, 2), np.float32), np.ones((2, 4), np.float32), np.ones(2, np.float32))
