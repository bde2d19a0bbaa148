"""What a person asks of the orchestra while it plays."""

from __future__ import annotations

from dataclasses import dataclass

from follower.playback.stretcher import MAX_RATE, MIN_RATE


@dataclass(frozen=True, slots=True)
class Wishes:
    """Replaced as a whole, so that a player's thread never sees half of a change.

    Attributes:
        volume_db: level.
        slowest: rate the orchestra does not fall below.
        fastest: rate the orchestra does not exceed.
        shift_cents: how much higher than recorded.
    """

    volume_db: float = 0.0
    slowest: float = MIN_RATE
    fastest: float = MAX_RATE
    shift_cents: float = 0.0


@dataclass(frozen=True, slots=True)
class Prelude:
    """What sounds before the pianist's first note.

    Attributes:
        begin_s: position in the recording at which the pianist begins (s).
        lead_in_s: so much of the recording is played up to there; 0 is nothing.
        clicks: clicks before that.
        beats_per_minute: tempo of the clicks.
    """

    begin_s: float
    lead_in_s: float = 0.0
    clicks: int = 0
    beats_per_minute: float = 60.0

    @property
    def clicks_s(self) -> float:
        """How long the clicks take: the first beat after them is the pianist's (s)."""
        return self.clicks * 60.0 / self.beats_per_minute
