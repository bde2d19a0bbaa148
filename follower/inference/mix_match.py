"""Match of a live frame with every frame of the full mix."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.kernels import tempo_filter as kernels

SCORE_BLOCK: Final = 512
"""Mix frames matched together: they stay in the first-level cache."""


class MixMatch:
    """Weighted sum of the mix's observations, frame by frame.

    Args:
        reference: (k, n) observations of the full mix.

    Attributes:
        score: (n,) match of the newest live frame with each frame of the mix.
    """

    def __init__(self, reference: NDArray[np.float32]) -> None:
        self._reference = reference
        self.parts, self.frames = reference.shape
        self.score = np.empty(self.frames, np.float32)
        self._blocks = np.arange(-(-self.frames // SCORE_BLOCK), dtype=np.int64)

    def update(self, weights: NDArray[np.float32]) -> float:
        """Write `score` for a live frame's weights (k,); return the largest."""
        return float(kernels.scores(self._reference, weights, self._blocks, SCORE_BLOCK, self.score))

    def clear(self) -> float:
        """Write zeros, the match of a frame that was not received; return the largest, 0."""
        self.score.fill(0.0)
        return 0.0
