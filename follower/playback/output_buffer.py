"""Between the player and a sound card: ring buffer, clocks, volume. No thread and no device, so time can be simulated.

`produce` belongs to one thread, `consume` to the sound card's callback, `on_event` to the follower's loop; none waits
for another.
"""

from __future__ import annotations

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
MAX_STAMPS = 64
"""Stamps that may wait; the oldest go."""


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

    @property
    def filled(self) -> int:
        """Frames that wait to be read."""
        return self.written - self.read

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
        self._limiter = limiter
        gain = 10.0 ** (volume_db / 20.0)
        self._gains = gain * np.array([min(1.0, 1.0 - balance), min(1.0, 1.0 + balance)], np.float32)
        self._target = max_request + max(round(FILL_S * player.sample_rate_hz), player.block_samples)
        self._ring = SampleRing(2 * (self._target + player.block_samples), OUTPUT_CHANNELS)
        self._write_silence()
        # Silence the callback put in counts as output too: the output clock runs on.
        self._missing = 0
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
        self._stamps.append((self._ring.read + self._missing, output_at_s))
        missing = self._ring.take(out)
        self._missing += missing
        self.drop_outs += missing > 0

    def sounding(self, at_s: float | None) -> PlaybackPosition:
        """Return what leaves the loudspeaker at an instant of the monotonic clock (any thread); rate 0 is silence."""
        return self.followed.sounding(at_s)

    def restart(self) -> None:
        """Begin anew on a reopened device: what waited is thrown away, and the orchestra enters again.

        No callback may be running.
        """
        self._ring.read = self._ring.written
        self._write_silence()
        self._stamps.clear()
        self._output_clock = ClockModel(self.player.sample_rate_hz)
        self.followed.restart()

    def produce(self) -> None:
        """Fill the ring (the producer's thread)."""
        while self._stamps:
            self._output_clock.stamp(*self._stamps.popleft())
        self.followed.take_events()
        late = 0 if self._limiter is None else self._limiter.latency_samples
        while self._ring.filled < self._target:
            if self._output_clock.known:
                self.player.clock_stretch = self._output_clock.stretch
                output_at_s = self._output_clock.time_s(self._ring.written + self._missing + late)
                stereo = stereo_of(self.followed.block(output_at_s)) * self._gains
            else:
                stereo = np.zeros((self.player.block_samples, OUTPUT_CHANNELS), np.float32)
            self._ring.write(stereo if self._limiter is None else self._limiter.process(stereo))

    def _write_silence(self) -> None:
        self._ring.write(np.zeros((self._target, OUTPUT_CHANNELS), np.float32))


def stereo_of(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, 2) of (n, channels): mono on both sides, more than two channels mixed down."""
    if sound.shape[1] <= OUTPUT_CHANNELS:
        return sound[:, [0, -1]]
    return np.repeat(sound.mean(axis=1, keepdims=True), OUTPUT_CHANNELS, axis=1)
