"""Where the orchestra is *now*, from the last position (docs/protocol.md)."""

from __future__ import annotations

from follower.events import Position, State

MOVING = frozenset({State.FOLLOWING, State.ORCHESTRA})
"""States in which the orchestra's time runs on between positions."""
MAX_EXTRAPOLATION_S = 1.0
"""Without a newer position for so long, the estimate stands still: the follower may have stopped."""


def orchestra_time_at(position: Position, now_s: float) -> float | None:
    """Return the orchestra's position at an instant: `orchestra_time + rate * (now - capture_time)`.

    Args:
        position: the newest one.
        now_s: the instant, on the clock of `capture_time_s`.

    Returns:
        Seconds in the orchestra recording; None while unknown. Outside `MOVING` and without a clock the position is
        held, and it is never extrapolated over more than `MAX_EXTRAPOLATION_S`.

    Example:
        >>> p = Position(7, 44100, 44100, 20.0, 21.0, 1.1, 0.9, State.FOLLOWING, capture_time_s=100.0)
        >>> round(orchestra_time_at(p, 100.1) or 0.0, 3)
        20.11
    """
    if position.orchestra_time_s is None or position.capture_time_s is None or position.state not in MOVING:
        return position.orchestra_time_s
    age_s = min(max(now_s - position.capture_time_s, 0.0), MAX_EXTRAPOLATION_S)
    return position.orchestra_time_s + position.rate * age_s
