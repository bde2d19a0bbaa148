"""Live audio from a WebSocket client: the server feeds frames in, the engine's thread takes blocks out."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from follower.errors import ProtocolError
from follower.events import AudioBlock, Notice
from follower.playback.clock import ClockModel
from follower.websocket.capture_clock import CaptureClock

SampleFormat: TypeAlias = Literal["f32le", "s16le"]
DTYPES: dict[str, str] = {"f32le": "<f4", "s16le": "<i2"}
MAX_AMPLITUDE = 4.0
"""Full scale is 1; a client's float beyond this is a fault and is clipped."""
AUDIO_OVER = "the audio is over"
"""Why a session ended whose client said `end`."""
CLIENT_LEFT = "its client has left"
"""Why a session ended whose client is gone."""
MAX_DELAY_S = 2.0
"""A client whose samples are said to be older than this on arrival has another clock than it thinks."""
MAX_WAIT_S = 0.7
"""Live audio that waits longer for its engine is given up."""
KEPT_S = 0.2
"""So much of the newest is kept then: the engine catches up with it at once."""
AHEAD_S = 1.0
"""Who has sent so much more than can have been played since the beginning does not play, but sends a recording."""
TOLD_AGAIN_S = 5.0
"""That audio is left out is reported at most this often."""
IDLE_S = 0.25
"""Without audio for so long an empty block is yielded, so that commands are taken."""


def decode(data: bytes, sample_format: SampleFormat, channels: int) -> NDArray[np.float32]:
    """Return one frame's samples as mono float32, shape (n,).

    Args:
        data: interleaved samples.
        sample_format: 32-bit float or 16-bit integer, little endian.
        channels: interleaved channels; their mean is taken.

    Raises:
        ProtocolError: the length is not a whole number of samples, or a sample is not finite.
    """
    dtype = np.dtype(DTYPES[sample_format])
    if len(data) % (dtype.itemsize * channels):
        raise ProtocolError(
            f"an audio frame of {len(data)} bytes is not a multiple of {dtype.itemsize * channels} "
            f"({channels} channels of {sample_format}); send whole samples"
        )
    samples = np.frombuffer(data, dtype).reshape(-1, channels).astype(np.float32)
    if sample_format == "s16le":
        samples *= np.float32(1 / 32768)
    elif not np.isfinite(samples).all():
        raise ProtocolError("an audio frame holds a sample that is not a number; the frame counts as lost")
    mono: NDArray[np.float32] = samples.clip(-MAX_AMPLITUDE, MAX_AMPLITUDE).mean(axis=1, dtype=np.float32)
    return mono


class WebSocketSource:
    """Audio frames of one client as a source.

    Where the engine does not keep up with a client that plays in real time, the oldest audio is left out: the positions
    are then those of now, with a gap, and not those of a growing while ago. A client that sends a recording faster than
    it was played is read more slowly instead.

    `offer`, `lost`, `stop` and `abandon` come from the server's loop and never wait; `blocks` runs in the engine's
    thread.

    Args:
        sample_rate_hz: of the client's audio.
        sample_format: of its frames.
        channels: interleaved in its frames.
        capacity_s: audio that may wait; when it is full `offer` says so and the client is read more slowly.
        clock: monotonic seconds; for when a frame was played see `CaptureClock`.
        idle_limit_s: without audio for so long it is over.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        sample_format: SampleFormat = "f32le",
        channels: int = 1,
        capacity_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        idle_limit_s: float = math.inf,
    ) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._format: SampleFormat = sample_format
        self._channels = channels
        self._capacity_samples = int(capacity_s * sample_rate_hz)
        self._clock = clock
        self._idle_limit_s = idle_limit_s
        self._waiting: deque[AudioBlock] = deque()
        self._waiting_samples = 0
        self._next_sample = 0
        self._ready = threading.Condition(threading.RLock())
        self._stopped = False
        self._end_reason = AUDIO_OVER
        self._capture_clock = CaptureClock()
        self._begun_s: float | None = None
        self._arrived: deque[float] = deque()
        self._left_out_samples = 0
        self._told_s = -math.inf
        self._captured_s = 0.0
        self._missed_since_s: float | None = None
        self._said_clock = ClockModel(sample_rate_hz)
        self._counted_from = 0

    @property
    def sample_rate_hz(self) -> int:
        """Rate the client announced."""
        return self._sample_rate_hz

    def __enter__(self) -> Self:
        """Nothing to open: the client is already there."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more frames."""
        self.stop()

    def samples_in(self, data: bytes) -> int:
        """How many samples per channel a frame of this length holds."""
        return len(data) // (np.dtype(DTYPES[self._format]).itemsize * self._channels)

    def offer(self, data: bytes) -> bool:
        """Take a frame. Returns False, and takes nothing, while too much audio waits.

        Raises:
            ProtocolError: the frame cannot be used; if it has whole samples they count as lost.
        """
        n = self.samples_in(data)
        with self._ready:
            if self._stopped or not data:  # frames without samples must not pile up
                return True
            if self._waiting_samples > 0 and self._waiting_samples + n > self._capacity_samples:
                if not self._is_overdue(n):
                    return False
                self._leave_out_oldest()
        try:
            samples = decode(data, self._format, self._channels)
        except ProtocolError:
            self.lost(n)
            raise
        with self._ready:
            arrived_s = self._clock()
            if self._missed_since_s is not None:
                self._next_sample += max(round((arrived_s - self._missed_since_s) * self._sample_rate_hz) - n, 0)
                self._missed_since_s = None
                self._counted_from = self._next_sample
            if self._begun_s is None:
                self._begun_s = arrived_s - n / self._sample_rate_hz
            if self._is_overdue(n):
                self._leave_out_oldest()
            played_s = (self._next_sample + n) / self._sample_rate_hz
            self._captured_s = self._said_s(n, arrived_s, self._capture_clock.captured_s(played_s, arrived_s))
            self._waiting.append(AudioBlock(self._next_sample, samples, self._captured_s))
            self._arrived.append(arrived_s)
            self._waiting_samples += n
            self._next_sample += n
            self._ready.notify()
        return True

    def stamp(self, sample: int, at_s: float) -> None:
        """The client says when the first `sample` samples of its stream had been captured, on our clock."""
        with self._ready:
            self._said_clock.stamp(sample, at_s)

    def _said_s(self, n: int, arrived_s: float, otherwise_s: float) -> float:
        """When the next `n` samples were captured, by what the client says where that can be."""
        if not self._said_clock.known:
            return otherwise_s
        said_s = self._said_clock.time_s(self._next_sample - self._counted_from + n)
        return said_s if 0.0 <= arrived_s - said_s <= MAX_DELAY_S else otherwise_s

    def _is_overdue(self, n: int) -> bool:
        """Whether the engine does not keep up with a client that, with n samples more, sends no more than it plays."""
        if self._begun_s is None or not self._arrived or self._clock() - self._arrived[0] <= MAX_WAIT_S:
            return False
        played_s = (self._next_sample + n) / self._sample_rate_hz
        return played_s - (self._clock() - self._begun_s) < AHEAD_S

    def _leave_out_oldest(self) -> None:
        """Forget what waits, but for the newest moment: the engine sees a gap."""
        while self._waiting_samples > KEPT_S * self._sample_rate_hz:
            n = len(self._waiting.popleft().samples)
            self._arrived.popleft()
            self._waiting_samples -= n
            self._left_out_samples += n

    @property
    def stopped(self) -> bool:
        """Whether the audio is over."""
        return self._stopped

    def lost(self, samples: int) -> None:
        """The client lost this many samples per channel before its next frame."""
        with self._ready:
            self._next_sample += samples

    def takes(self, sample_rate_hz: int, sample_format: str, channels: int) -> bool:
        """Whether frames of this kind are what it was made for."""
        return (sample_rate_hz, sample_format, channels) == (self._sample_rate_hz, self._format, self._channels)

    def resume(self) -> None:
        """The client is back after a break: what it missed sending, by our clock, is lost."""
        with self._ready:
            self._missed_since_s = self._captured_s if self._next_sample > 0 else None
            self._said_clock = ClockModel(self._sample_rate_hz)  # the client's count begins anew

    def stop(self) -> None:
        """The audio is over; what waits is still yielded."""
        with self._ready:
            self._stopped = True
            self._ready.notify()

    def abandon(self, reason: str) -> None:
        """Nobody needs the rest: what waits is forgotten. `end_reason` is this, unless the audio was over before."""
        with self._ready:
            if not self._stopped:
                self._end_reason = reason
            self._stopped = True
            self._waiting.clear()
            self._arrived.clear()
            self._waiting_samples = 0
            self._ready.notify()

    @property
    def end_reason(self) -> str:
        """Why the audio is over, for people."""
        return self._end_reason

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield the client's frames as they come."""
        heard_s = self._clock()
        while True:
            if (notice := self._take_left_out()) is not None:
                yield notice
            with self._ready:
                if not self._waiting and not self._stopped:
                    self._ready.wait(IDLE_S)
                if self._waiting:
                    block = self._waiting.popleft()
                    self._arrived.popleft()
                    self._waiting_samples -= len(block.samples)
                    heard_s = self._clock()
                elif self._stopped:
                    return
                elif self._clock() - heard_s > self._idle_limit_s:
                    self.abandon(f"no audio came for {self._idle_limit_s:g} s")
                    return
                else:
                    block = AudioBlock(self._next_sample, np.zeros(0, np.float32), self._clock())
            yield block

    def _take_left_out(self) -> Notice | None:
        """What was left out since that was last reported; None when it is nothing, or was reported just now."""
        with self._ready:
            now_s = self._clock()
            if not self._left_out_samples or now_s - self._told_s < TOLD_AGAIN_S:
                return None
            seconds, self._left_out_samples, self._told_s = self._left_out_samples / self._sample_rate_hz, 0, now_s
            sample = self._waiting[0].first_sample if self._waiting else self._next_sample
        return Notice(
            sample,
            self._sample_rate_hz,
            f"this computer was {seconds:.1f} s behind: so much of the oldest audio was left out",
        )
