"""The live piano from an audio device: sounddevice's callback copies and enqueues, everything else happens here."""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from follower.audio import device_thread, portaudio
from follower.errors import ConfigError, DeviceError
from follower.events import AudioBlock, Notice

IDLE_S: Final = 0.25
"""Without audio for so long an empty block is yielded, so that commands are taken."""
GONE_AFTER_S: Final = 1.5
"""A stream whose callback falls silent for so long is taken for lost."""
FIRST_AUDIO_S: Final = 5.0
"""A newly opened stream may take so long: a sound server's monitor starts with the first player."""
RETRY_S: Final = (0.25, 0.5, 1.0, 2.0)
"""Waits between attempts to reopen a lost device; the last one repeats for as long as the session lasts."""
MAX_DEFAULT_CHANNELS: Final = 2


@dataclass(frozen=True, slots=True)
class _Opened:
    """A device whose stream runs."""

    device: portaudio.Device
    rate_hz: int
    stream: portaudio.Stream


def _close_opened(opened: _Opened) -> None:
    opened.stream.close()


@dataclass(frozen=True, slots=True)
class _Captured:
    """One callback's worth.

    `dropped` counts the samples the callback had to throw away, in all, before this one.
    """

    samples: NDArray[np.float32]
    adc_s: float
    stream_s: float
    clock_s: float
    overflow: bool
    dropped: int


class MicrophoneSource:
    """An audio input as a source of blocks.

    The sample counter counts time: what was lost (a full queue, an overflow in the driver, a device that was away)
    is a step of the counter, which the engine reports as a `Gap`.

    Args:
        device: number or part of the name; None for the default input.
        sample_rate_hz: None for the device's own.
        channels: averaged to mono; None for one or two, as the device has.
        block_samples: samples per block.
        capacity_s: audio that may wait for the engine; more is dropped and counted.
        rescan: lists devices anew before a lost one is searched again; None where that would end other streams.
        clock: monotonic seconds.

    Raises:
        ConfigError: a rate, channel count or block size that cannot be.
    """

    def __init__(
        self,
        device: int | str | None = None,
        sample_rate_hz: int | None = None,
        channels: int | None = None,
        block_samples: int = 256,
        capacity_s: float = 2.0,
        rescan: Callable[[], None] | None = portaudio.rescan,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, value in (("rate", sample_rate_hz), ("channels", channels), ("block", block_samples)):
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; give 1 or more")
        self._wanted = device
        self._wanted_rate_hz = sample_rate_hz
        self._channels = channels
        self._block_samples = block_samples
        self._capacity_s = capacity_s
        self._rescan = rescan
        self._clock = clock
        self._rate_hz: int | None = None
        self._device: portaudio.Device | None = None
        self._stream: portaudio.Stream | None = None
        self._queue: queue.SimpleQueue[_Captured | None] = queue.SimpleQueue()
        self._capacity_blocks = 1
        self._dropped = 0
        self._stopped = False

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the blocks; valid once opened, the same after a reconnect."""
        if self._rate_hz is None:
            raise DeviceError("the microphone is not open; use it in a with statement")
        return self._rate_hz

    @property
    def name(self) -> str:
        """The device's name; valid once opened."""
        return self._device.name if self._device is not None else ""

    def __enter__(self) -> Self:
        """Open and start the device.

        Raises:
            MissingDependencyError: sounddevice or PortAudio is not installed.
            DeviceError: no such device, or it cannot be opened.
        """
        self._stopped = False
        self._take(device_thread.in_time(self._open, _close_opened))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the device."""
        self._close()

    def stop(self) -> None:
        """End `blocks` after the current block."""
        self._stopped = True
        self._queue.put(None)

    def _open(self) -> _Opened:
        """Open and start the device (the devices' thread)."""
        device = portaudio.find_input(self._wanted)
        rate_hz = self._rate_hz or self._wanted_rate_hz or device.sample_rate_hz
        channels = self._channels or min(device.inputs, MAX_DEFAULT_CHANNELS)
        self._capacity_blocks = math.ceil(self._capacity_s * rate_hz / self._block_samples)
        stream = portaudio.open_input(device, rate_hz, channels, self._block_samples, self._callback)
        try:
            portaudio.start(stream, device.name)
        except DeviceError:
            stream.close()
            raise
        return _Opened(device, rate_hz, stream)

    def _open_again(self, lost: portaudio.Stream | None) -> _Opened:
        """Close what was lost, look for devices and open (the devices' thread)."""
        if lost is not None:
            lost.close()
        if self._rescan is not None:
            self._rescan()
        return self._open()

    def _take(self, opened: _Opened) -> None:
        self._device, self._rate_hz, self._stream = opened.device, opened.rate_hz, opened.stream

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            device_thread.close(stream)

    def _callback(self, data: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """Copy and enqueue (PortAudio's thread)."""
        if self._queue.qsize() >= self._capacity_blocks:
            self._dropped += frames
            return
        self._queue.put(
            _Captured(
                data.copy(),
                times.inputBufferAdcTime,
                times.currentTime,
                self._clock(),
                bool(status.input_overflow),
                self._dropped,
            )
        )

    def blocks(self) -> Iterator[AudioBlock | Notice]:
        """Yield what the device captures; a `Notice` when it goes away and when it delivers again."""
        timeline = _Timeline(self.sample_rate_hz)
        received_s, patience_s = self._clock(), FIRST_AUDIO_S
        away = False
        while not self._stopped:
            asked_s = self._clock()
            try:
                captured = self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                # While a busy computer had stopped this program nobody was there to be given anything.
                received_s += max(self._clock() - asked_s - 2 * IDLE_S, 0.0)
                if self._stream is not None and self._stream.active and self._clock() - received_s < patience_s:
                    yield timeline.nothing(self._clock())
                    continue
                if not away:
                    away = True
                    yield timeline.notice(f"the audio input {self.name} gives no audio; trying to reopen it")
                yield from self._reopen(timeline)
                received_s, patience_s = self._clock(), FIRST_AUDIO_S
                continue
            if captured is None:
                continue
            received_s, patience_s = captured.clock_s, GONE_AFTER_S
            block = timeline.block(captured)
            if away:
                away = False
                yield timeline.notice(f"the audio input {self.name} is back")
            yield block

    def _reopen(self, timeline: _Timeline) -> Iterator[AudioBlock]:
        """Try until the device is open again or the session ends; empty blocks let the session's commands through."""
        timeline.resume_with_gap()
        lost, self._stream = self._stream, None
        for wait_s in chain(RETRY_S, repeat(RETRY_S[-1])):
            answer = device_thread.ask(partial(self._open_again, lost))
            lost = None
            while not answer.done() and not self._stopped:  # a sound server that hangs takes its time
                wait([answer], IDLE_S)
                if not answer.done():
                    yield timeline.nothing(self._clock())
            if self._stopped:
                device_thread.give_up(answer, _close_opened)
                return
            try:
                self._take(answer.result())
                return
            except DeviceError:
                yield timeline.nothing(self._clock())
                self._pause(wait_s)

    def _pause(self, wait_s: float) -> None:
        """Wait, or less when `stop` is called; what a dying stream still enqueues is thrown away."""
        until_s = self._clock() + wait_s
        while not self._stopped and (left_s := until_s - self._clock()) > 0:
            try:
                self._queue.get(timeout=left_s)
            except queue.Empty:
                return


class _Timeline:
    """Turns what callbacks captured into blocks on one sample counter that runs with time.

    Args:
        sample_rate_hz: rate of the stream.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._next_sample = 0
        self._dropped = 0
        self._end_s = math.nan
        self._after_absence = False

    def block(self, captured: _Captured) -> AudioBlock:
        """Return the next block, its counter ahead by what was lost before it."""
        n = len(captured.samples)
        capture_s = self._capture_s(captured, n)
        lost = captured.dropped - self._dropped
        self._dropped = captured.dropped
        if captured.overflow or self._after_absence:
            # The driver does not say how much it lost: the clock does, and at least one sample it was.
            elapsed = 0 if math.isnan(self._end_s) else round((capture_s - self._end_s) * self._rate_hz) - n
            lost = max(lost, elapsed, 1)
        self._after_absence = False
        first_sample = self._next_sample + lost
        self._next_sample = first_sample + n
        self._end_s = capture_s
        return AudioBlock(first_sample, captured.samples.mean(axis=1, dtype=np.float32), capture_s)

    def _capture_s(self, captured: _Captured, n: int) -> float:
        """When the last sample was captured, on the monotonic clock."""
        lag_s = captured.stream_s - captured.adc_s - n / self._rate_hz
        # Some host interfaces leave the times 0 or on different clocks: then the callback's own time must do.
        return captured.clock_s - lag_s if captured.adc_s > 0.0 and 0.0 <= lag_s < 1.0 else captured.clock_s

    def nothing(self, now_s: float) -> AudioBlock:
        """Return an empty block."""
        return AudioBlock(self._next_sample, np.zeros(0, np.float32), now_s)

    def resume_with_gap(self) -> None:
        """The next block follows an absence."""
        self._after_absence = True

    def notice(self, text: str) -> Notice:
        """Return a notice at the current sample."""
        return Notice(self._next_sample, self._rate_hz, text)
