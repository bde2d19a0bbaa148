"""Do two positions of the mix sound alike? Between such positions what the piano plays decides nothing."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooling import POOL, pool_mean
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
        features: (k, n) float32 or int8, of the mix, one column per frame.
        weights: (k,) float32, how much each row counts.

    Example:
        >>> once = np.repeat(np.eye(20, dtype=np.float32), 4, axis=1)
        >>> likeness = Likeness(np.hstack([once, once[:, ::-1], once]), np.ones(20, np.float32))
        >>> likeness.between(79, 239), likeness.between(79, 159) < 0.2
        (1.0, True)
    """

    def __init__(self, features: NDArray[np.float32] | NDArray[np.int8], weights: NDArray[np.float32]) -> None:
        self._features = features
        self._blocks = -(-features.shape[1] // POOL)
        self._weights = weights
        self._asked = (-1, -1)
        self._answer = 0.0

    def between(self, frame: int, other: int) -> float:
        """Cosine, 0..1, between what leads to two frames of the mix; 0 at its beginning, which nothing leads to."""
        a, b = min(frame // POOL + 1, self._blocks), min(other // POOL + 1, self._blocks)
        if (a, b) != self._asked:
            pieces = (self._best(a - k * PIECE, b - k * PIECE) for k in range(PIECES))
            self._asked, self._answer = (a, b), sum(pieces) / PIECES
        return self._answer

    def _best(self, end: int, other_end: int) -> float:
        """The best cosine between the pieces that end before these blocks, one of them shifted."""
        if end < PIECE:
            return 0.0
        other = self._pooled(max(other_end - SHIFT - PIECE, 0), min(other_end + SHIFT, self._blocks))
        return float(best_cosine(self._pooled(end - PIECE, end), other, self._weights))

    def _pooled(self, first: int, end: int) -> NDArray[np.float32]:
        return pool_mean(self._features[:, first * POOL : max(end, first) * POOL])
