"""Which times lie in the orchestra recording."""

from __future__ import annotations

from follower.errors import InputError


def require_in_orchestra(name: str, time_s: float, orchestra_duration_s: float) -> None:
    """Refuse a time outside the orchestra recording.

    Args:
        name: what the time is for, as the sentence that refuses it begins.
        time_s: the time (s).
        orchestra_duration_s: length of the recording.

    Raises:
        InputError: the time is outside, or not a number.

    Example:
        >>> require_in_orchestra("start", 12.0, 60.0)
    """
    if not 0.0 <= time_s <= orchestra_duration_s:
        raise InputError(f"{name} {time_s:g} s is outside the orchestra recording (0..{orchestra_duration_s:.1f} s)")
