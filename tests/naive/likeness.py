"""How alike two pieces of the mix are, in plain NumPy: oracle of follower/kernels/likeness.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_cosine(piece: NDArray[np.float32], other: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """The largest cosine of the piece with a stretch of the other; 0 without any."""
    length = piece.shape[1]
    scale = np.sqrt(weights.astype(np.float64))[:, None]
    a = (piece * scale).ravel().astype(np.float64)

    def cosine(b: NDArray[np.float64]) -> float:
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / norms if norms > 0 else 0.0

    stretches = [
        (other[:, s : s + length] * scale).ravel().astype(np.float64) for s in range(other.shape[1] - length + 1)
    ]
    return min(max([0.0, *(cosine(b) for b in stretches)]), 1.0)
