"""Does the estimated position still fit what the piano plays, or does another position fit better?

A frontier's belief is slow to leave a position: that is what carries it over mistakes. Whether the pianist has gone
elsewhere shows sooner in the bare matches of the newest moments, without what was believed before.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooling import POOL
from follower.kernels import tempo_filter as kernels

MEMORY_S: Final = 0.4
"""Time constant with which matches are forgotten. Half to double of it tells wrong positions apart nearly as well."""
NEAR: Final = 2
"""Blocks (of 93 ms) to each side that belong to the estimated position."""
RIVAL: Final = 11
"""Blocks to each side within which another position is not yet a rival: a second."""
STANDING: Final = 0.05
"""Rate below which the piano is taken to move at the mix's tempo."""


class RivalMatch:
    """Match of the newest moments with straight lines through the mix, one ending at each block. Bounded work per hop.

    Args:
        pooled: (k, m) float32, m >= 1, of the mix, one column per `POOL` frames; the product with a hop's weights is
            its log likelihood.
        hop_s: seconds per hop and frame.

    Example:
        >>> match = RivalMatch(np.repeat(np.eye(50, dtype=np.float32), 4, axis=0) / 4, 0.02)
        >>> for frame in range(100, 140):
        ...     margin = match.update(np.eye(200, dtype=np.float32)[frame], 1.0, 0.02 * (frame + 1))
        >>> margin > 1
        True
    """

    def __init__(self, pooled: NDArray[np.float32], hop_s: float) -> None:
        self._hop_s = hop_s
        self._features = pooled
        self._kept = np.float32(math.exp(-POOL * hop_s / MEMORY_S))
        self._blocks = np.zeros(1, np.int64)
        self._match, self._step = np.zeros((2, self._features.shape[1]), np.float32)
        self._weights = np.zeros(len(pooled), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._match[:] = 0
        self._weights[:] = 0
        self._hops = POOL // 2  # not in the hop in which a frontier may do its own pooled work
        self._moved = 0.0
        self._margin = 0.0

    def update(self, weights: NDArray[np.float32], rate: float, estimate_s: float) -> float:
        """Take a hop.

        Args:
            weights: (k,) of the hop, 0 where nothing was heard.
            rate: mix seconds per live second.
            estimate_s: estimated position (mix s) at the end of the hop.

        Returns:
            Log likelihood of the newest moments at the estimate, less that at the best position a second or more
            away; about 0 in silence. New every `POOL` hops.
        """
        self._weights += weights
        self._moved += rate if rate > STANDING else 1.0
        self._hops += 1
        if self._hops == POOL:
            self._advance()
            self._margin = self._margin_at(estimate_s)
            self._hops = 0
        return self._margin

    def _advance(self) -> None:
        n = len(self._match)
        shift = min(int(self._moved / POOL), n)
        self._moved -= shift * POOL
        kernels.scores(self._features, self._weights, self._blocks, n, self._step)
        self._weights[:] = 0
        self._step[shift:] += self._kept * self._match[: n - shift]
        self._match, self._step = self._step, self._match

    def _margin_at(self, estimate_s: float) -> float:
        n = len(self._match)
        at = min(max(round(estimate_s / self._hop_s) - 1, 0) // POOL, n - 1)
        here = float(np.max(self._match[max(at - NEAR, 0) : at + NEAR + 1]))
        before, after = self._match[: max(at - RIVAL, 0)], self._match[at + RIVAL + 1 :]
        rivals = [float(np.max(part)) for part in (before, after) if len(part)]
        return here - max(rivals) if rivals else 0.0
