"""How well the piano's newest hops fit the whole mix, coarsely: what finds a position again wherever it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.inference.pooling import Regions
from follower.kernels import tempo_filter as kernels

WIDE_BLOCK = 512
"""Positions scored at a time: a row of them fits the processor's first cache."""


class PooledScores:
    """Log likelihoods of the newest hops, summed, at each coarse position. A hop works on one region; memory is fixed.

    Args:
        pooled: (k, m) float32 or int8, m >= 1, the mix's `pool_mean` over the pool that `Regions` has for it; the
            product with a hop's weights is its log likelihood.
        n_frames: frames of the mix.

    Attributes:
        pooled: as given.
        regions: of the mix.
        values: (m,) float32; of each region's hops between its last two steps.
        hop: of the round, 1..pool; 0 before the first.
        due: regions that made a step in the newest hop.

    Example:
        >>> scores = PooledScores(np.repeat(np.eye(50, dtype=np.float32), 4, axis=0) / 4, 200)
        >>> for frame in (100, 101, 102, 103):
        ...     scores.add(np.eye(200, dtype=np.float32)[frame])
        >>> scores.due, int(np.argmax(scores.values)), float(scores.values[25])
        ((0,), 25, 1.0)
    """

    def __init__(self, pooled: NDArray[np.float32] | NDArray[np.int8], n_frames: int) -> None:
        self.pooled = pooled
        self.regions = Regions(n_frames)
        self.values = np.zeros(pooled.shape[1], np.float32)
        self._weights = np.zeros((self.regions.count, len(pooled)), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self.values[:] = 0
        self._weights[:] = 0
        self.hop = 0
        self.due: tuple[int, ...] = ()

    def part(self, region: int) -> slice:
        """Coarse positions of a region."""
        size = self.regions.positions
        return slice(region * size, min((region + 1) * size, len(self.values)))

    def add(self, weights: NDArray[np.float32]) -> None:
        """Take a hop's weights (k,), 0 where nothing was heard."""
        self._weights += weights
        self.hop = self.hop % self.regions.pool + 1
        self.due = self.regions.due(self.hop)
        for region in self.due:
            at = self.part(region)
            blocks = np.arange(at.start // WIDE_BLOCK, -(-at.stop // WIDE_BLOCK))
            kernels.scores(self.pooled, self._weights[region], blocks, WIDE_BLOCK, self.values)
            self._weights[region] = 0
