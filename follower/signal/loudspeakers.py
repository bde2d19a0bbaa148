"""What the loudspeakers play at a given sample of the live stream."""

from __future__ import annotations

from typing import Final

from follower.events import Position, State
from follower.protocol.commands import PlaybackPosition

REPORT_VALID_S: Final = 2.0
"""A reported playback position counts for this long; without another the loudspeakers are silent."""


class Loudspeakers:
    """What they play: the playback position last reported, at its rate; without any report, the follower's position.

    Positions are extrapolated by the sample counter, so that they do not depend on how the audio was cut into blocks.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        """`sample_rate_hz` is the live stream's."""
        self._sample_rate_hz = sample_rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget all reports and positions."""
        self._reported: tuple[PlaybackPosition, int] | None = None
        self._position: Position | None = None

    def report(self, playback: PlaybackPosition, audio_sample: int) -> None:
        """Take what the loudspeakers play at that sample of the live stream; a rate of 0 is silence."""
        self._reported = playback, audio_sample

    def on_position(self, position: Position) -> None:
        """Take the follower's newest position."""
        self._position = position

    def position_s(self, audio_sample: float) -> float | None:
        """Orchestra position of what the loudspeakers play at a sample of the live stream (s); None: silence."""
        if self._reported is not None:
            reported, reported_sample = self._reported
            since_s = (audio_sample - reported_sample) / self._sample_rate_hz
            if since_s > REPORT_VALID_S or reported.rate <= 0:
                return None
            return reported.orchestra_time_s + reported.rate * since_s
        newest = self._position
        if newest is None or newest.orchestra_time_s is None or newest.state not in (State.FOLLOWING, State.ORCHESTRA):
            return None
        return newest.orchestra_time_s + newest.rate * (audio_sample - newest.audio_sample) / self._sample_rate_hz
