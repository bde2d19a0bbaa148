"""Does the estimated position still fit what the piano plays, or does another position fit better?

A frontier's belief is slow to leave a position: that is what carries it over mistakes. Whether the pianist has gone
elsewhere shows sooner in the bare matches of the newest moments, without what was believed before.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from follower.inference.pooled_scores import PooledScores

MEMORY_S: Final = 0.4
"""Time constant with which matches are forgotten. Half to double of it tells wrong positions apart nearly as well."""
NEAR_FRAMES: Final = 8
"""Frames of the mix to each side that belong to the estimated position."""
RIVAL_FRAMES: Final = 44
"""Frames of the mix to each side within which another position is not yet a rival: a second."""
STANDING: Final = 0.05
"""Rate below which the piano is taken to move at the mix's tempo."""


class RivalMatch:
    """Match of the newest moments with straight lines through the mix, one to each position; bounded work per hop.

    Args:
        scores: of the piano's hops; they take each before it is taken here.
        hop_s: seconds per hop and frame.

    Example:
        >>> scores = PooledScores(np.repeat(np.eye(50, dtype=np.float32), 4, axis=0) / 4, 200)
        >>> match = RivalMatch(scores, 0.02)
        >>> for frame in range(100, 140):
        ...     scores.add(np.eye(200, dtype=np.float32)[frame])
        ...     margin = match.update(1.0, 0.02 * (frame + 1))
        >>> margin > 1
        True
    """

    def __init__(self, scores: PooledScores, hop_s: float) -> None:
        self._hop_s = hop_s
        self._scores = scores
        self._pool = scores.regions.pool
        self._kept = np.float32(math.exp(-self._pool * hop_s / MEMORY_S))
        self._match = np.zeros_like(scores.values)
        self._moved = np.zeros(scores.regions.count)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._match[:] = 0
        self._moved[:] = 0
        self._margin = 0.0

    def update(self, rate: float, estimate_s: float) -> float:
        """Take a hop.

        Args:
            rate: mix seconds per live second.
            estimate_s: estimated position (mix s) at the end of the hop.

        Returns:
            Log likelihood of the newest moments at the estimate, less that at the best position a second or more
            away; about 0 in silence. New every `Regions.pool` hops.
        """
        self._moved += rate if rate > STANDING else 1.0
        for region in self._scores.due:
            self._advance(region)
        if self._scores.hop == self._pool:
            self._margin = self._margin_at(estimate_s)
        return self._margin

    def _advance(self, region: int) -> None:
        at = self._scores.part(region)
        shift = int(self._moved[region] / self._pool)
        self._moved[region] -= shift * self._pool
        newest = self._scores.values[at].copy()
        start = min(max(at.start, shift), at.stop)
        newest[start - at.start :] += self._kept * self._match[start - shift : at.stop - shift]
        self._match[at] = newest

    def _margin_at(self, estimate_s: float) -> float:
        n = len(self._match)
        near, rival = NEAR_FRAMES // self._pool, RIVAL_FRAMES // self._pool
        at = min(max(round(estimate_s / self._hop_s) - 1, 0) // self._pool, n - 1)
        here = float(np.max(self._match[max(at - near, 0) : at + near + 1]))
        before, after = self._match[: max(at - rival, 0)], self._match[at + rival + 1 :]
        rivals = [float(np.max(part)) for part in (before, after) if len(part)]
        return here - max(rivals) if rivals else 0.0
