"""What the loudspeakers play at a given sample of the live stream."""

from __future__ import annotations

from follower.events import PlaybackPosition, Position, State

TOLD_HOLDS_S = 2.0
"""A place told counts for so long; without another the loudspeakers are silent."""


class Loudspeakers:
    """What they play: as last told, at its rate; in a session that is never told, what the follower itself claims.

    Places are carried on by the sample counter, so that they do not depend on how the audio was cut into blocks.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        """`sample_rate_hz` is the live stream's."""
        self._sample_rate_hz = sample_rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget what was told and claimed."""
        self._told: tuple[PlaybackPosition, int] | None = None
        self._claim: Position | None = None

    def tell(self, told: PlaybackPosition, audio_sample: int) -> None:
        """The loudspeakers play this at that sample of the live stream; a rate of 0 is silence."""
        self._told = told, audio_sample

    def claim(self, position: Position) -> None:
        """Take the follower's newest claim."""
        self._claim = position

    def place_s(self, audio_sample: float) -> float | None:
        """Place in the orchestra recording heard at a sample of the live stream (s); None when they are silent."""
        if self._told is not None:
            told, told_sample = self._told
            since_s = (audio_sample - told_sample) / self._sample_rate_hz
            if since_s > TOLD_HOLDS_S or told.rate <= 0:
                return None
            return told.orchestra_time_s + told.rate * since_s
        claim = self._claim
        if claim is None or claim.orchestra_time_s is None or claim.state not in (State.FOLLOWING, State.ORCHESTRA):
            return None
        return claim.orchestra_time_s + claim.rate * (audio_sample - claim.audio_sample) / self._sample_rate_hz
