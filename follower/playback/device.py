"""The orchestra through a sound card: a producer thread fills the ring, PortAudio's callback only copies from it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from follower.errors import DeviceError
from follower.events import Event, Position, StateChange
from follower.playback.feed import OUTPUT_CHANNELS, OutputFeed
from follower.sinks.base import Session
from follower.sources import portaudio

BLOCK_SAMPLES = 256
LEAST_GATHERED = 1024
"""Sound servers may ask for several blocks at once; so many frames are always ready for that."""
DEFAULT_LATENCY_S = 0.06
"""Sound servers run dry below; it costs 2 ms of accuracy against none (docs/playback.md)."""
WAKE_S = 0.05
"""The producer looks after the ring at least this often, even when no callback wakes it."""


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


def find_output(name: int | str | None) -> portaudio.Device:
    """Return the output device of that number or (part of a) name; None is the default one.

    Raises:
        MissingDependencyError: sounddevice or PortAudio is not installed.
        DeviceError: there is none, or several fit.
    """
    outputs = [d for d in portaudio.devices() if d.outputs > 0]
    if not outputs:
        raise DeviceError("there is no audio output; connect a loudspeaker and look with: follower devices")
    if name is None:
        default = portaudio.load().default.device[1]
        return next((d for d in outputs if d.index == default), outputs[0])
    if isinstance(name, str) and name.isascii() and name.isdigit():
        name = int(name)
    if isinstance(name, int):
        fitting = [d for d in outputs if d.index == name]
    else:
        fitting = [d for d in outputs if d.name == name] or [d for d in outputs if name.lower() in d.name.lower()]
    if len(fitting) != 1:
        many = "no output device is" if not fitting else f"{len(fitting)} output devices are"
        raise DeviceError(f"{many} called {name!r}; give a number or a name listed by: follower devices")
    return fitting[0]


def opener(device: portaudio.Device, sample_rate_hz: int, latency_s: float = DEFAULT_LATENCY_S) -> StreamOpener:
    """Return what opens (not starts) a stereo output stream of that device; it raises DeviceError.

    Args:
        device: the output.
        sample_rate_hz: its rate.
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
    return max(LEAST_GATHERED, round(2.0 * latency_s * sample_rate_hz))


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

    Args:
        feed: what is played.
        open_stream: opens the sound card, see `opener`.
        clock: monotonic seconds, the same as of the positions' capture times.
    """

    def __init__(
        self, feed: OutputFeed, open_stream: StreamOpener, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.feed = feed
        self._open_stream = open_stream
        self._clock = clock
        self._stream: OutputStream | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._latency_s = 0.0
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        """Open the device and start playing (silence until the first position).

        Raises:
            DeviceError: the device cannot be opened or started.
        """
        stream = self._open_stream(self._callback)
        self._latency_s = float(stream.latency)
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="orchestra", daemon=True)
        try:
            stream.start()
        except Exception as e:
            stream.close()
            raise DeviceError(f"the audio output does not start ({e}); try another --play-device") from e
        self._stream = stream
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and release the device; what made the orchestra fall silent is raised now."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None and error is None:
            raise self._failure

    def begin(self, session: Session) -> None:
        """Nothing to announce."""

    def send(self, event: Event) -> None:
        """Take a position or a state; never blocks."""
        if isinstance(event, Position | StateChange):
            self.feed.hear(event)

    @property
    def dropped(self) -> int:
        """Always 0: an older position has no value once a newer one is there."""
        return 0

    def _callback(self, out: NDArray[np.float32], frames: int, times: Any, status: Any) -> None:
        """Copy from the ring (PortAudio's thread)."""
        del frames
        if status.output_underflow:
            self.feed.drop_outs += 1
        lag_s = times.outputBufferDacTime - times.currentTime
        # Some host interfaces leave the times 0 or on different clocks: then the driver's latency must do.
        known = times.outputBufferDacTime > 0.0 and 0.0 <= lag_s < 1.0
        self.feed.consume(out, self._clock() + (lag_s if known else self._latency_s))
        self._wake.set()

    def _work(self) -> None:
        try:
            while not self._closing:
                self.feed.produce()
                self._wake.wait(WAKE_S)
                self._wake.clear()
        except Exception as e:  # the follower goes on without the orchestra
            self._failure = e
