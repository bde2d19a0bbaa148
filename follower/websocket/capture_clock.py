"""When a client's samples were played, from when they arrived: what waited on the way is late, not new."""

from __future__ import annotations

from typing import Final

DRIFT: Final = 2e-4
"""By how much the client's clock may be slower than ours, in seconds per second; crystals differ by less."""
JITTER_S: Final = 0.1
"""Audio that comes later than expected by more than this either waited, or the client had stopped sending."""
BURST_S: Final = 0.05
"""What comes by this much faster than it was played had waited."""
SETTLED_S: Final = 0.3
"""After so long at the pace of the music nothing is waiting any more."""
FASTER: Final = 1.2
"""Audio that comes this many times faster than it was played is still catching up."""


class CaptureClock:
    """Gives each frame of a client's audio the time at which its last sample was played.

    The frame that was least long on its way says when the client's first sample was played, and so, by counting, when
    every later one was. A frame that comes much later than that was held up, if those behind it come in a burst;
    if they come at the pace of the music, the client had stopped sending, and its audio begins anew.

    Example:
        >>> clock = CaptureClock()
        >>> [round(clock.captured_s(*at), 3) for at in ((0.1, 50.1), (0.2, 50.25), (0.3, 50.3))]   # one was held up
        [50.1, 50.2, 50.3]
    """

    def __init__(self) -> None:
        self._begin_s: float | None = None
        self._arrived_s = 0.0
        self._late_since: tuple[float, float] | None = None
        self._least_s = 0.0
        self._held_up = False

    def captured_s(self, played_s: float, arrived_s: float) -> float:
        """Return when a frame's last sample was played.

        Args:
            played_s: the client's audio up to the end of the frame, what was lost included (s).
            arrived_s: when the frame arrived, on our clock.
        """
        begin_s = arrived_s - played_s
        if self._begin_s is None:
            self._begin_s = begin_s
        self._begin_s = min(self._begin_s + DRIFT * max(arrived_s - self._arrived_s, 0.0), begin_s)
        self._arrived_s = arrived_s
        if begin_s - self._begin_s <= JITTER_S:
            self._late_since, self._held_up = None, False
            return self._begin_s + played_s
        if self._late_since is None:
            self._begin_to_watch(played_s, arrived_s)
        assert self._late_since is not None
        self._least_s = min(self._least_s, begin_s)
        passed_s, came_s = arrived_s - self._late_since[0], played_s - self._late_since[1]
        self._held_up |= came_s > passed_s + BURST_S
        if passed_s >= SETTLED_S:
            if came_s < FASTER * passed_s:
                self._begin_s, self._late_since, self._held_up = self._least_s, None, False
            else:
                self._begin_to_watch(played_s, arrived_s)
        return (self._begin_s if self._held_up else begin_s) + played_s

    def _begin_to_watch(self, played_s: float, arrived_s: float) -> None:
        self._late_since, self._least_s = (arrived_s, played_s), arrived_s - played_s
