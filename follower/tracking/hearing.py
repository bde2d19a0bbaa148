"""How long has the piano sounded, and how long has it been silent?"""

from __future__ import annotations

from typing import Final

SILENCE: Final = 0.1
"""Presence below which the piano counts as silent."""


class Hearing:
    """Counts the seconds of sound and of silence, hop by hop.

    Args:
        hop_s: seconds per hop.

    Attributes:
        heard_s: seconds of playing so far, each hop weighed by its presence.
        sounded_s: seconds since the last silence; 0 in one.
        silent_s: seconds since the piano sounded last; 0 while it sounds.

    Example:
        >>> hearing = Hearing(0.5)
        >>> for presence in (1.0, 0.5, 0.0):
        ...     hearing.update(presence)
        >>> hearing.heard_s, hearing.sounded_s, hearing.silent_s
        (0.75, 0.0, 0.5)
    """

    def __init__(self, hop_s: float) -> None:
        self._hop_s = hop_s
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard."""
        self.heard_s = 0.0
        self.sounded_s = 0.0
        self.silent_s = 0.0

    @property
    def silent(self) -> bool:
        """Was the piano silent in the newest hop?"""
        return self.silent_s > 0

    def update(self, presence: float) -> None:
        """Take a hop in which the piano sounds as surely as `presence`, 0..1."""
        if presence < SILENCE:
            self.silent_s += self._hop_s
            self.sounded_s = 0.0
        else:
            self.silent_s = 0.0
            self.sounded_s += self._hop_s
            self.heard_s += self._hop_s * presence
