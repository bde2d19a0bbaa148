"""A player with the follower's positions on the monotonic clock, and a memory of what sounded when. No thread.

`on_event` and `sounding` may be called by any thread, everything else belongs to the thread that makes the sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, StateChange
from follower.playback.clock import ClockModel
from follower.playback.player import OrchestraPlayer
from follower.playback.wishes import Prelude
from follower.protocol.commands import PlaybackPosition

MAX_BACKLOG = 64
"""Positions that may wait; the oldest go."""
REMEMBERED_S = 3.0
"""From the block just made, not yet played, to the one that the microphone receives now."""
SILENCE = PlaybackPosition(0.0, 0.0)


class FollowedPlayer:
    """Plays after the follower.

    Args:
        player: the orchestra.

    Attributes:
        tap: called with every block's instant and mono sound (n,), for a recording; None for nobody.
    """

    def __init__(self, player: OrchestraPlayer) -> None:
        self.player = player
        self.tap: Callable[[float, NDArray[np.float32]], None] | None = None
        self._input_clock: ClockModel | None = None
        self._waiting: deque[Position | StateChange | Prelude] = deque(maxlen=MAX_BACKLOG)
        # When a block sounds, and what it plays; None is silence.
        blocks = round(REMEMBERED_S * player.sample_rate_hz / player.block_samples)
        self._played: deque[tuple[float, float | None, float]] = deque(maxlen=blocks)

    @property
    def input_drift_ppm(self) -> float:
        """How much slower the live stream runs than the monotonic clock, in millionths."""
        return self._input_clock.drift_ppm if self._input_clock is not None else 0.0

    def on_event(self, event: Position | StateChange | Prelude) -> None:
        """Take the follower's newest position or state, or what is to be heard before the pianist begins."""
        self._waiting.append(event)

    def sounding(self, at_s: float | None) -> PlaybackPosition:
        """Return what leaves the loudspeaker at an instant of the monotonic clock; rate 0 is silence.

        Without a clock (None) nothing is known to play.
        """
        if at_s is None:
            return SILENCE
        for output_at_s, position_s, rate in reversed(tuple(self._played)):  # the copy is made at once
            if output_at_s <= at_s:
                return (
                    SILENCE if position_s is None else PlaybackPosition(position_s + rate * (at_s - output_at_s), rate)
                )
        return SILENCE

    def take_events(self) -> None:
        """Hand the player what has come."""
        while self._waiting:
            self._pass_on(self._waiting.popleft())

    def block(self, output_at_s: float) -> NDArray[np.float32]:
        """Return the next block (block_samples, channels), which begins to sound at `output_at_s`."""
        sound = self.player.block(output_at_s)
        self._played.append((output_at_s, self.player.block_position_s, self.player.control.rate))
        if self.tap is not None:
            self.tap(output_at_s, sound.mean(axis=1))
        return sound

    def forget_from(self, at_s: float) -> None:
        """What was made to sound from an instant on is thrown away."""
        while self._played and self._played[-1][0] >= at_s:
            self._played.pop()

    def displace(self) -> None:
        """The next block does not sound right after the one before: it is to be where the pianist is then."""
        self.player.control.displace()

    def restart(self) -> None:
        """Begin anew on another output; the orchestra enters again."""
        self._played.clear()
        self.player.silence()

    def _pass_on(self, event: Position | StateChange | Prelude) -> None:
        if isinstance(event, Prelude):
            self.player.play_prelude(event)
            return
        if self._input_clock is None:
            self._input_clock = ClockModel(event.sample_rate_hz)
        if isinstance(event, Position) and event.capture_time_s is not None:
            self._input_clock.stamp(event.audio_sample, event.capture_time_s)
        if self._input_clock.known:
            self.player.on_event(event, self._input_clock.time_s(event.audio_sample))
