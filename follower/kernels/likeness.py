"""Kernel of how alike two positions of the mix are. Oracle: tests/naive/likeness.py."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def best_cosine(
    columns: NDArray[np.float32], weights: NDArray[np.float32], end: int, other_end: int, length: int, shift: int
) -> float:
    """Return the largest cosine between the columns before `end` and those before `other_end` +-`shift`; at least 0.

    Args:
        columns: (k, m).
        weights: (k,), how much each row counts.
        end: first column after the piece; outside `length`..m there is none, and the cosine is 0.
        other_end: the same of the other piece, before it is shifted.
        length: columns in a piece.
        shift: columns by which the other piece may be shifted to either side.
    """
    k, m = columns.shape
    if end < length or end > m:
        return 0.0
    best = 0.0
    for at in range(max(other_end - shift, length), min(other_end + shift, m) + 1):
        product = power = other_power = 0.0
        for row in range(k):
            w = weights[row]
            piece, other = columns[row, end - length : end], columns[row, at - length : at]
            for j in range(length):
                product += w * piece[j] * other[j]
                power += w * piece[j] * piece[j]
                other_power += w * other[j] * other[j]
        if power * other_power > 0.0:
            best = max(best, product / math.sqrt(power * other_power))
    return min(best, 1.0)


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    best_cosine(np.ones((2, 8), np.float32), np.ones(2, np.float32), 4, 5, 2, 1)
