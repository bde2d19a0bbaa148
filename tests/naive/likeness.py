"""How alike two pieces of the mix are, in plain NumPy: oracle of follower/kernels/likeness.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_cosine(
    columns: NDArray[np.float32], weights: NDArray[np.float32], end: int, other_end: int, length: int, shift: int
) -> float:
    """The largest cosine of the piece before `end` with one before `other_end` +-`shift`; 0 without any."""
    m = columns.shape[1]
    scaled = columns.astype(np.float64) * np.sqrt(weights.astype(np.float64))[:, None]

    def piece(at: int) -> NDArray[np.float64]:
        inside = length <= at <= m
        return scaled[:, at - length : at].ravel() if inside else np.zeros(len(columns) * length)

    def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / norms if norms > 0 else 0.0

    shifts = range(-shift, shift + 1)
    return min(max(0.0, *(cosine(piece(end), piece(other_end + s)) for s in shifts)), 1.0)
