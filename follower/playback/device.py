"""The orchestra through a sound card: a producer thread fills the ring, PortAudio's callback only copies from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from follower.audio import device_thread, portaudio
from follower.errors import DeviceError
from follower.events import Event, Position, Session, StateChange
from follower.playback.output_buffer import OUTPUT_CHANNELS, OutputBuffer
from follower.protocol.commands import PlaybackPosition

BLOCK_SAMPLES = 256
MIN_GATHERED_FRAMES = 1024
"""Sound servers may ask for several blocks at once; this many frames are always ready for that."""
DEFAULT_LATENCY_S = 0.06
"""Sound servers run dry below; it costs 2 ms of accuracy against none (docs/playback.md)."""
WAKE_S = 0.05
"""The producer fills the ring after this time at the latest, even when no callback wakes it."""
GONE_AFTER_S = 1.5
"""A device that asks for nothing for this long counts as lost."""
FIRST_CALLBACK_S = 5.0
"""Time a device just opened may take until its first callback."""
TELL_AGAIN_S = 5.0
"""Drop-outs are told at most this often."""
RETRY_S = (0.25, 0.5, 1.0, 2.0)
"""Waits between attempts to reopen a lost device; the last one repeats for as long as the session lasts."""


class OutputStream(Protocol):
    """What is used of `sounddevice.OutputStream`."""

    @property
    def latency(self) -> float:
        """From the callback to the loudspeaker (s), as the driver believes."""
        ...

    def start(self) -> None:
        """Start playing."""
        ...

    def close(self, ignore_errors: bool = True) -> None:
        """Stop and release the device."""
        ...


StreamOpener = Callable[[Callable[[Any, int, Any, Any], None]], OutputStream]


def opener(device: portaudio.Device, sample_rate_hz: int, latency_s: float = DEFAULT_LATENCY_S) -> StreamOpener:
    """Return what opens (not starts) a stereo output stream of that device; it raises DeviceError.

    Args:
        device: the output.
        sample_rate_hz: rate of the stream.
        latency_s: buffer asked of the driver; the player anticipates it.
    """

    def open_stream(callback: Callable[[Any, int, Any, Any], None]) -> OutputStream:
        sd = portaudio.load()
        try:
            stream: OutputStream = sd.OutputStream(
                samplerate=sample_rate_hz,
                blocksize=BLOCK_SAMPLES,
                device=device.index,
                channels=OUTPUT_CHANNELS,
                dtype="float32",
                latency=latency_s,
                callback=callback,
            )
        except (sd.PortAudioError, ValueError) as e:
            raise DeviceError(
                f"{device.name} cannot play at {sample_rate_hz} Hz in stereo ({e}); try another --play-device"
            ) from e
        return stream

    return open_stream


def gathered(sample_rate_hz: int, latency_s: float = DEFAULT_LATENCY_S) -> int:
    """Return how many frames may be asked for at once; drivers fill up to twice the latency asked for."""
    return max(MIN_GATHERED_FRAMES, round(2.0 * latency_s * sample_rate_hz))


def supports(device: portaudio.Device, sample_rate_hz: int) -> bool:
    """Whether the device plays stereo at this rate."""
    sd = portaudio.load()
    try:
        sd.check_output_settings(device.index, OUTPUT_CHANNELS, "float32", samplerate=sample_rate_hz)
    except (sd.PortAudioError, ValueError):
        return False
    return True


class OrchestraOutput:
    """A sink that plays the orchestra after the positions it is sent.

    A device that falls silent (unplugged, its server restarted) is opened again as soon as it lets itself be opened;
    the orchestra then enters anew where the pianist is. Devices are not listed anew for that, which would end the
    microphone's stream: what comes back must come back as the same device.

    Args:
        buffer: what is played.
        open_stream: opens the sound card, see `opener`.
        report: called with what sounded when the audio of each position was captured, so that the follower can discount
            it; None where no microphone picks up the loudspeakers.
        clock: monotonic seconds, the same as of the positions' capture times.
        tell: called with a sentence for people while something is wrong, by the thread that makes the sound.
    """

    def __init__(
        self,
        buffer: OutputBuffer,
        open_stream: StreamOpener,
        report: Callable[[PlaybackPosition], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._tell = tell
        self._told_drop_outs = 0
        self._told_at_s = -TELL_AGAIN_S
        self._told_ready = 0
        self.buffer = buffer
        self._open_stream = open_stream
        self._report = report
        self._clock = clock
        self._stream: OutputStream | None = None
        self._opening: Future[OutputStream] | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._latency_s = 0.0
        self._failure: Exception | None = None
        self.losses = 0
        """Times the device was lost."""
        self._asked_s = 0.0
        self._patience_s = FIRST_CALLBACK_S
        self._attempts = 0
        self._retry_at_s = 0.0

    def __enter__(self) -> Self:
        """Open the device and start playing (silence until the first position).

        Raises:
            DeviceError: the device cannot be opened or started.
        """
        self._take(device_thread.in_time(self._open, _close))
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="orchestra", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and release the device; what made the orchestra fall silent is raised now."""
        # First the thread, which might have a stream opened.
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        opening, self._opening = self._opening, None
        if opening is not None:
            device_thread.give_up(opening, _close)
        stream, self._stream = self._stream, None
        if stream is not None:
            device_thread.close(stream)
        if self._failure is not None and error is None:
            raise self._failure

    def begin(self, session: Session) -> None:
        """Nothing to announce."""

    def send(self, event: Event) -> None:
        """Take a position or a state; never blocks."""
        if isinstance(event, Position | StateChange):
            self.buffer.on_event(event)
        if self._report is not None and isinstance(event, Position):
            self._report(self.buffer.sounding(event.capture_time_s))

    @property
    def dropped(self) -> int:
        """Always 0: an older position has no value once a newer one is there."""
        return 0

    def _callback(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """Copy from the ring (PortAudio's thread)."""
        del frames
        if status.output_underflow:
            self.buffer.drop_outs += 1
        self._asked_s, self._patience_s = self._clock(), GONE_AFTER_S
        lag_s = times.outputBufferDacTime - times.currentTime
        # Some host interfaces leave the times 0 or on different clocks: then the driver's latency must do.
        known = times.outputBufferDacTime > 0.0 and 0.0 <= lag_s < 1.0
        self.buffer.consume(out, self._asked_s + (lag_s if known else self._latency_s))
        self._wake.set()

    def _open(self) -> OutputStream:
        """Open the device and start it (the devices' thread); DeviceError where that fails."""
        stream = self._open_stream(self._callback)
        self._latency_s = float(stream.latency)
        self._asked_s, self._patience_s = self._clock(), FIRST_CALLBACK_S
        try:
            stream.start()
        except Exception as e:
            stream.close()
            raise DeviceError(f"the audio output does not start ({e}); try another --play-device") from e
        return stream

    def _open_again(self, lost: OutputStream | None) -> OutputStream:
        """Close what was lost, and begin anew (the devices' thread)."""
        if lost is not None:
            lost.close()
        self.buffer.restart()
        return self._open()

    def _take(self, stream: OutputStream) -> None:
        self._stream = stream

    def _work(self) -> None:
        try:
            while not self._closing:
                self._turn()
                self._wake.wait(WAKE_S)
                self._wake.clear()
        except Exception as e:  # the follower goes on without the orchestra
            self._failure = e

    def _tell_drop_outs(self) -> None:
        """Say while they happen that there are drop-outs, and later that all is as it was at first."""
        new = self.buffer.drop_outs - self._told_drop_outs
        kept = self.buffer.kept_ready
        ready_ms = 1e3 * kept / self.buffer.player.sample_rate_hz
        if self._tell is None:
            return
        if new <= 0 and kept < self._told_ready:
            self._told_ready = kept
            self._tell(f"no drop-outs of the orchestra for a while: {ready_ms:.0f} ms of sound are kept ready again")
        if new <= 0 or self._clock() - self._told_at_s < TELL_AGAIN_S:
            return
        self._told_drop_outs, self._told_at_s, self._told_ready = self.buffer.drop_outs, self._clock(), kept
        self._tell(f"the orchestra dropped out ({new} times): {ready_ms:.0f} ms of sound are kept ready now")

    def _turn(self) -> None:
        """Keep the ring filled, or try to get a lost device back."""
        if self._stream is not None and self._clock() - self._asked_s < self._patience_s:
            self.buffer.produce()
            self._tell_drop_outs()
            return
        lost, self._stream = self._stream, None
        if lost is not None:
            self.losses += 1
            self._attempts = 0
            self._retry_at_s = self._clock()
        if self._opening is None:
            if self._clock() < self._retry_at_s:
                return
            self._opening = device_thread.ask(partial(self._open_again, lost))
        wait([self._opening], WAKE_S)  # a sound server that hangs may take for ever
        if not self._opening.done():
            return
        opening, self._opening = self._opening, None
        try:
            self._take(opening.result())
        except DeviceError:
            self._retry_at_s = self._clock() + RETRY_S[min(self._attempts, len(RETRY_S) - 1)]
            self._attempts += 1


def _close(stream: OutputStream) -> None:
    stream.close()
