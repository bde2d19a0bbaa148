"""The coarse resolution of the frontiers: means over groups of mix frames."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

POOL: Final = 4
"""Frames of the mix per coarse position, and hops per coarse step."""


def group_sizes(n_frames: int) -> NDArray[np.float32]:
    """Return how many frames each coarse position has, (ceil(n / POOL),): the last one may have fewer.

    >>> group_sizes(6).tolist()
    [4.0, 2.0]
    """
    return np.minimum(n_frames - POOL * np.arange(-(-n_frames // POOL)), POOL).astype(np.float32)


def pool_mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over each group of frames: (k, n) to (k, ceil(n / POOL)), float32, contiguous.

    >>> pool_mean(np.array([[1, 3, 5, 7, 2, 4]], np.float32)).tolist()
    [[4.0, 3.0]]
    """
    padded = np.pad(x, ((0, 0), (0, -x.shape[1] % POOL)))
    sums = padded.reshape(len(x), -1, POOL).sum(axis=2)
    return np.ascontiguousarray(sums / group_sizes(x.shape[1]), np.float32)
