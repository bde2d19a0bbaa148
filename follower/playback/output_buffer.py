"""Between the player and a sound card: ring buffer, clocks, volume. No thread and no device, so time can be simulated.

`produce` belongs to one thread, `consume` to the sound card's callback, `on_event` to the follower's loop; none waits
for another.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from follower.events import Position, StateChange
from follower.playback.clock import ClockModel
from follower.playback.followed_player import FollowedPlayer
from follower.playback.limiter import Limiter
from follower.playback.player import OrchestraPlayer
from follower.protocol.commands import PlaybackPosition

OUTPUT_CHANNELS = 2
FILL_S = 0.040
"""Sound kept ready for the callback: bridges a producer that is late by so much."""
GROWTH = 1.5
"""More is kept ready after a drop-out by this factor, up to twice what was kept at first."""
CALM_S = 60.0
"""After so long without a drop-out as much is kept ready as at first."""
MAX_STAMPS = 64
"""Stamps that may wait; the oldest go."""
DISPLACED_S = 0.12
"""Sound that was made for another instant than it will be heard at, by so much, is made anew: a driver that ran dry
throws away what it had, or a producer was late. Less is corrected by the tempo, unheard."""
SETTLED_S = 0.03
"""A driver that recovers asks in bursts; sound is made anew when its stamps have agreed for so long."""


class SampleRing:
    """Ring buffer of frames for one writer and one reader; neither locks (a plain int is stored at once).

    Args:
        capacity: frames.
        channels: per frame.
    """

    def __init__(self, capacity: int, channels: int) -> None:
        self._data = np.zeros((capacity, channels), np.float32)
        self.written = 0
        self.read = 0
        self.discarded = 0
        """Frames before this one are not read any more (set by the writer)."""

    @property
    def filled(self) -> int:
        """Frames that wait to be read."""
        return self.written - max(self.read, self.discarded)

    def skip(self) -> int:
        """Go past what the writer discarded (the reader); return how many frames that were."""
        skipped = max(self.discarded - self.read, 0)
        self.read += skipped
        return skipped

    def write(self, frames: NDArray[np.float32]) -> None:
        """Append frames (n, channels); the writer sees to it that they fit."""
        n, capacity = len(frames), len(self._data)
        at = self.written % capacity
        first = min(n, capacity - at)
        self._data[at : at + first] = frames[:first]
        self._data[: n - first] = frames[first:]
        self.written += n

    def take(self, out: NDArray[np.float32]) -> int:
        """Fill `out` (n, channels), with silence where nothing waits; return the frames that were missing."""
        n, capacity = len(out), len(self._data)
        ready = min(n, self.filled)
        at = self.read % capacity
        first = min(ready, capacity - at)
        out[:first] = self._data[at : at + first]
        out[first:ready] = self._data[: ready - first]
        out[ready:] = 0.0
        self.read += ready
        return n - ready


class OutputBuffer:
    """Keeps the ring filled with what the player plays for the instants at which it will leave the loudspeaker.

    Input and output run on clocks of their own: both counters are related to the monotonic clock, and the player's
    rate is scaled by the output's measured drift.

    Args:
        player: the orchestra, at the sound card's rate.
        max_request: maximum frames a callback asks for.
        volume_db: gain.
        balance: -1 (left) .. 1 (right).
        limiter: keeps peaks under full scale; None leaves them.
    """

    def __init__(
        self,
        player: OrchestraPlayer,
        max_request: int,
        volume_db: float = 0.0,
        balance: float = 0.0,
        limiter: Limiter | None = None,
    ) -> None:
        self.player = player
        self.followed = FollowedPlayer(player)
        self.drop_outs = 0
        self._rate_hz = player.sample_rate_hz
        self._limiter = limiter
        gain = 10.0 ** (volume_db / 20.0)
        self._gains = gain * np.array([min(1.0, 1.0 - balance), min(1.0, 1.0 + balance)], np.float32)
        self._target: int = max_request + max(round(FILL_S * player.sample_rate_hz), player.block_samples)
        self._least: int = self._target
        self._seen_drop_outs = 0
        self._calm_from = 0
        # Twice what is kept at most, since what is discarded lies there until the callback comes by.
        self._ring = SampleRing(4 * (self._target + player.block_samples), OUTPUT_CHANNELS)
        self._write_silence()
        # What the callback has read of the ring, and by how much more it has put out: silence it put in counts as
        # output, too, since the output clock runs on. One object, so that the producer sees both of one instant.
        self._consumed = (0, 0)
        self._promised: deque[tuple[int, float]] = deque()
        self._due_s = math.nan
        self._output_clock = ClockModel(player.sample_rate_hz)
        self._stamps: deque[tuple[int, float]] = deque(maxlen=MAX_STAMPS)

    @property
    def drift_ppm(self) -> float:
        """How much slower the output runs than the input, in millionths."""
        return self._output_clock.drift_ppm - self.followed.input_drift_ppm

    @property
    def queued_frames(self) -> int:
        """Frames that wait for the callback."""
        return self._ring.filled

    def on_event(self, event: Position | StateChange) -> None:
        """Take the follower's newest position or state (any thread)."""
        self.followed.on_event(event)

    def consume(self, out: NDArray[np.float32], output_at_s: float) -> None:
        """Fill `out` (n, 2), whose first frame leaves the loudspeaker at `output_at_s` (the callback's thread)."""
        _, more = self._consumed
        more -= self._ring.skip()
        self._stamps.append((self._ring.read + more, output_at_s))
        missing = self._ring.take(out)
        self._consumed = self._ring.read, more + missing
        self.drop_outs += missing > 0

    def sounding(self, at_s: float | None) -> PlaybackPosition:
        """Return what leaves the loudspeaker at an instant of the monotonic clock (any thread); rate 0 is silence."""
        return self.followed.sounding(at_s)

    def restart(self) -> None:
        """Begin anew on a reopened device: what waited is thrown away, and the orchestra enters again.

        No callback may be running.
        """
        self._ring.discarded = self._ring.written
        self._ring.skip()
        self._consumed = self._ring.read, self._consumed[1]
        self._promised.clear()
        self._write_silence()
        self._stamps.clear()
        self._output_clock = ClockModel(self.player.sample_rate_hz)
        self.followed.restart()

    def produce(self) -> None:
        """Fill the ring (the producer's thread)."""
        while self._stamps:
            self._output_clock.stamp(*self._stamps.popleft())
        self.followed.take_events()
        self._adapt()
        late = 0 if self._limiter is None else self._limiter.latency_samples
        if self._is_displaced(late):
            self._ring.discarded = self._ring.written
            self.followed.forget_from(self._promised[0][1])
            self._promised.clear()
        while self._ring.filled < self._target:
            if self._output_clock.known:
                self.player.clock_stretch = self._output_clock.stretch
                output_at_s = self._output_at_s(self._ring.written + late)
                if abs(output_at_s - self._due_s) > DISPLACED_S:
                    self.followed.displace()
                self._due_s = output_at_s + self.player.clock_stretch * self.player.block_samples / self._rate_hz
                self._promised.append((self._ring.written, output_at_s))
                stereo = stereo_of(self.followed.block(output_at_s)) * self._gains
            else:
                stereo = np.zeros((self.player.block_samples, OUTPUT_CHANNELS), np.float32)
            self._ring.write(stereo if self._limiter is None else self._limiter.process(stereo))

    def _output_at_s(self, frame: int) -> float:
        """When a frame of the ring leaves the loudspeaker, as the output goes now."""
        read, more = self._consumed
        return self._output_clock.time_s(frame + more - max(self._ring.discarded - read, 0))

    def _is_displaced(self, late: int) -> bool:
        """Whether what waits was made for other instants than it will be heard at."""
        read, _ = self._consumed
        while self._promised and self._promised[0][0] < read:
            self._promised.popleft()
        if not self._promised or self._output_clock.since_step_s < SETTLED_S:
            return False
        frame, promised_s = self._promised[0]
        return abs(self._output_at_s(frame + late) - promised_s) > DISPLACED_S

    @property
    def kept_ready(self) -> int:
        """Frames that are kept ready for the callback: more after drop-outs, as many as at first when all is well."""
        return self._target

    def _adapt(self) -> None:
        if self.drop_outs > self._seen_drop_outs:
            self._seen_drop_outs = self.drop_outs
            self._target = min(round(GROWTH * self._target), 2 * self._least)
            self._calm_from = self._ring.written
        elif self._ring.written - self._calm_from > CALM_S * self.player.sample_rate_hz:
            self._target = self._least

    def _write_silence(self) -> None:
        self._ring.write(np.zeros((self._target, OUTPUT_CHANNELS), np.float32))


def stereo_of(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, 2) of (n, channels): mono on both sides, more than two channels mixed down."""
    if sound.shape[1] <= OUTPUT_CHANNELS:
        return sound[:, [0, -1]]
    return np.repeat(sound.mean(axis=1, keepdims=True), OUTPUT_CHANNELS, axis=1)
