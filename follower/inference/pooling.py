"""The coarse resolution of the frontiers: means over groups of mix frames, and when which of them are worked on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

POOL: Final = 4
"""Frames of the mix per coarse position, and hops per coarse step, in all but long mixes."""
MAX_POOL: Final = 8
"""In any mix: .19 s, in which there is about a note; means over more are alike everywhere."""
REGION_POSITIONS: Final = 2560
"""Coarse positions that are worked on in a hop; in a mix of more than an hour they are more."""


class Regions:
    """Parts of the mix that make their steps on the coarse level in different hops.

    A mix of less than 4 minutes has one. Where a round of `POOL` hops is too short for all of them (from 16 minutes
    on), the coarse level is twice as coarse, and its rounds are twice as long.

    Args:
        n_frames: of the mix, 1 or more.

    Attributes:
        pool: frames of the mix per coarse position, and hops in a round.
        positions: coarse positions of each region; the last may have fewer.
        count: number of regions, 1..pool.

    Example:
        >>> regions = Regions(30_000)
        >>> regions.pool, regions.count, [regions.due(hop) for hop in (1, 2, 3, 4)]
        (4, 3, [(), (2,), (1,), (0,)])
        >>> Regions(150_000).pool
        8
    """

    def __init__(self, n_frames: int) -> None:
        self.pool = POOL
        while self.pool < MAX_POOL and -(-n_frames // self.pool) > self.pool * REGION_POSITIONS:
            self.pool *= 2
        positions = -(-n_frames // self.pool)
        blocks = -(-positions // REGION_POSITIONS)
        self.positions = max(-(-blocks // self.pool), 1) * REGION_POSITIONS
        self.count = -(-positions // self.positions)
        hops = [self.pool - region * self.pool // self.count for region in range(self.count)]
        self._due = tuple(tuple(r for r in range(self.count) if hops[r] == hop) for hop in range(self.pool + 1))

    def due(self, hop: int) -> tuple[int, ...]:
        """Regions that make their step in this hop of a round, 1..pool."""
        return self._due[hop]


def group_sizes(n_frames: int, pool: int = POOL) -> NDArray[np.float32]:
    """Return how many frames each coarse position has, (ceil(n / pool),): the last one may have fewer.

    >>> group_sizes(6).tolist()
    [4.0, 2.0]
    """
    return np.minimum(n_frames - pool * np.arange(-(-n_frames // pool)), pool).astype(np.float32)


def pool_mean(x: NDArray[np.float32] | NDArray[np.int8], pool: int = POOL) -> NDArray[np.float32]:
    """Mean over each group of frames: (k, n) to (k, ceil(n / pool)), float32, contiguous.

    >>> pool_mean(np.array([[1, 3, 5, 7, 2, 4]], np.float32)).tolist()
    [[4.0, 3.0]]
    """
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % pool)))
    sums = padded.reshape(len(x), -1, pool).sum(axis=2)
    return np.ascontiguousarray(sums / group_sizes(x.shape[1], pool), np.float32)
