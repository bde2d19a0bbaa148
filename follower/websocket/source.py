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

    `offer`, `lost`, `stop` and `abandon` come from the server's loop and never wait; `blocks` runs in the engine's
    thread.

    Args:
        sample_rate_hz: of the client's audio.
        sample_format: of its frames.
        channels: interleaved in its frames.
        capacity_s: audio that may wait; when it is full `offer` says so and the client is read more slowly.
        clock: monotonic seconds; the capture time of a frame is its arrival. Frames that could not be taken at once
            waited in the network, so behind them it is counted on from the frame before.
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
        self._held_back = False
        self._captured_s = 0.0
        self._missed_since_s: float | None = None
        self._capture_clock = ClockModel(sample_rate_hz)
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
                self._held_back = True
                return False
        try:
            samples = decode(data, self._format, self._channels)
        except ProtocolError:
            self.lost(n)
            raise
        with self._ready:
            arrived_s = self._clock()
            self._held_back = self._held_back and bool(self._waiting)
            if self._missed_since_s is not None:
                self._next_sample += max(round((arrived_s - self._missed_since_s) * self._sample_rate_hz) - n, 0)
                self._missed_since_s = None
                self._counted_from = self._next_sample
            next_s = self._captured_s + n / self._sample_rate_hz
            self._captured_s = self._stamped_s(n, arrived_s, min(arrived_s, next_s) if self._held_back else arrived_s)
            self._waiting.append(AudioBlock(self._next_sample, samples, self._captured_s))
            self._waiting_samples += n
            self._next_sample += n
            self._ready.notify()
        return True

    def stamp(self, sample: int, at_s: float) -> None:
        """The client says when the first `sample` samples of its stream had been captured, on our clock."""
        with self._ready:
            self._capture_clock.stamp(sample, at_s)

    def _stamped_s(self, n: int, arrived_s: float, otherwise_s: float) -> float:
        """When the next `n` samples were captured, by what the client says where that can be."""
        if not self._capture_clock.known:
            return otherwise_s
        said_s = self._capture_clock.time_s(self._next_sample - self._counted_from + n)
        return said_s if 0.0 <= arrived_s - said_s <= MAX_DELAY_S else otherwise_s

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
            self._capture_clock = ClockModel(self._sample_rate_hz)  # the client's count begins anew

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
            with self._ready:
                if not self._waiting and not self._stopped:
                    self._ready.wait(IDLE_S)
                if self._waiting:
                    block = self._waiting.popleft()
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
