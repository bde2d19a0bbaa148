"""Do two positions of the mix sound alike? Between such positions what the piano plays decides nothing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooling import POOL
from follower.kernels.likeness import best_cosine

PIECE: Final = 5
"""Blocks (of 93 ms) that are compared at once, shifted as fits best: the same music is never quite as fast twice."""
PIECES: Final = 2
"""Pieces before each position that are compared: the newest second."""
SHIFT: Final = 2
"""Blocks by which a piece may be shifted to either side."""


class Likeness:
    """How alike the music is that leads to two positions of the mix. Bounded work.

    Args:
        pooled: (k, m) float32, of the mix, one column per `POOL` frames.
        weights: (k,) float32, how much each row counts.

    Example:
        >>> once = np.eye(20, dtype=np.float32)
        >>> likeness = Likeness(np.hstack([once, once[:, ::-1], once]), np.ones(20, np.float32))
        >>> likeness.between(79, 239), likeness.between(79, 159) < 0.2
        (1.0, True)
    """

    def __init__(self, pooled: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        self._pooled = pooled
        self._weights = weights
        self._asked = (-1, -1)
        self._answer = 0.0

    def between(self, frame: int, other: int) -> float:
        """Cosine, 0..1, between what leads to two frames of the mix; 0 at its beginning, which nothing leads to."""
        m = self._pooled.shape[1]
        a, b = min(frame // POOL + 1, m), min(other // POOL + 1, m)
        if (a, b) != self._asked:
            pieces = (self._best(a - k * PIECE, b - k * PIECE) for k in range(PIECES))
            self._asked, self._answer = (a, b), sum(pieces) / PIECES
        return self._answer

    def _best(self, end: int, other_end: int) -> float:
        """The best cosine between the pieces that end before these blocks, one of them shifted."""
        return float(best_cosine(self._pooled, self._weights, end, other_end, PIECE, SHIFT))
