"""Shares that add up over scenarios."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """So many of so many; adds up over scenarios.

    >>> (Share(1, 2) + Share(0, 2)).pct
    25.0
    """

    count: int
    of: int

    def __add__(self, other: Share) -> Share:
        """Of both together."""
        return Share(self.count + other.count, self.of + other.of)

    @property
    def pct(self) -> float:
        """Percentage; NaN of none."""
        return 100 * self.count / self.of if self.of else math.nan
