"""The rate as the slope of the newest positions."""

from __future__ import annotations

import numpy as np


class RecentPositions:
    """The newest positions of one unbroken run.

    Args:
        n: positions kept, 4 or more.
    """

    def __init__(self, n: int) -> None:
        self._positions = np.zeros(n)
        self.reset()

    def reset(self) -> None:
        """Begin a new run."""
        self._count = 0

    def add(self, position: float, jump: float) -> None:
        """Take the next position (frames); one further off than `jump` begins a new run."""
        n = len(self._positions)
        if self._count and abs(position - self._positions[(self._count - 1) % n]) > jump:
            self._count = 0
        self._positions[self._count % n] = position
        self._count += 1

    def slope(self) -> float:
        """Return frames per hop by least squares; 1 while the run is short.

        >>> recent = RecentPositions(4)
        >>> for position in (0.0, 2.0, 4.0):
        ...     recent.add(position, jump=10.0)
        >>> recent.slope()
        2.0
        """
        n = min(self._count, len(self._positions))
        if n < len(self._positions) // 2:
            return 1.0
        order = (self._count - n + np.arange(n)) % len(self._positions)
        t = np.arange(n) - (n - 1) / 2
        return float(np.sum(t * self._positions[order]) / np.sum(t * t))
