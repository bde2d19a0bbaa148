"""Rubber Band (engine R3) through pylibrb. Rubber Band is GPL: a program that ships with it is under the GPL too."""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from follower.errors import MissingDependencyError
from follower.playback.recording import OrchestraRecording
from follower.playback.stretcher import Committed

LARGEST_FEED = 8192
CENTRE_SHIFT = 0.2
"""The window's centre lies this share of the start pad behind the place the pad suggests (measured with clicks)."""


class RubberBandStretcher:
    """See `follower.playback.stretcher.Stretcher`.

    Of its engines, R3 with one window length holds steady tones and clicks best (benchmarks/playback/playback.py).
    After a window was fed, the place `behind` samples before its end is heard `ahead` output samples after what was
    available before; these pairs are the only accounting needed, at any rate. Known flaw: when the rate falls through 1
    the engine sometimes realigns its phases, a dip of some 50 ms.

    Raises:
        MissingDependencyError: pylibrb is not installed.
    """

    def __init__(self, recording: OrchestraRecording) -> None:
        try:
            import pylibrb
        except ImportError as e:
            raise MissingDependencyError(
                "the stretcher rubberband needs pylibrb: pip install 'concerto-follower[rubberband]' (GPL), "
                "or choose --stretcher vocoder"
            ) from e
        option = pylibrb.Option
        self._recording = recording
        self._engine: Any = pylibrb.RubberBandStretcher(
            recording.sample_rate_hz,
            recording.channels,
            option.PROCESS_REALTIME
            | option.ENGINE_FINER
            | option.WINDOW_SHORT
            | option.THREADING_NEVER
            | option.CHANNELS_TOGETHER,
            1.0,
            1.0,
        )
        self._engine.set_max_process_size(LARGEST_FEED)
        self._pad = int(self._engine.get_preferred_start_pad())
        self._delay = int(self._engine.get_start_delay())
        self._behind = round(self._pad * (1.0 + CENTRE_SHIFT))
        self._ahead = round(self._delay * (1.0 - CENTRE_SHIFT))
        self._feed = np.zeros((recording.channels, LARGEST_FEED), np.float32)
        self._ready = np.zeros((recording.channels, 0), np.float32)
        self._fed = 0
        self._made = 0
        self._pulled = 0
        # Pairs (output sample, source sample) of the windows' centres, the output counted from the engine's reset.
        self._outputs: list[float] = []
        self._sources: list[float] = []

    def start(self, source_sample: float, rate: float) -> None:
        """Forget everything; the next output sample is `source_sample` of the recording, played at `rate`."""
        self._engine.reset()
        self._ready = self._ready[:, :0]
        # Whole samples only: half a sample is 0.02 ms.
        self._fed = round(source_sample) - self._pad
        self._made = self._pulled = 0
        self._outputs = [0.0]
        self._sources = [source_sample - rate * self._delay]
        self.pull(self._delay, rate)

    def pull(self, n: int, rate: float) -> NDArray[np.float32]:
        """Return the next `n` output samples, shape (n, channels)."""
        while self._ready.shape[1] < n:
            self._advance(rate)
        out: NDArray[np.float32] = self._ready[:, :n].T.copy()
        self._ready = self._ready[:, n:]
        self._pulled += n
        return out

    @property
    def source_sample(self) -> float:
        """Place in the recording (samples, fractional) of the next output sample."""
        k = min(max(bisect.bisect_right(self._outputs, self._pulled), 1), len(self._outputs) - 1)
        x0, x1 = self._outputs[k - 1], self._outputs[k]
        y0, y1 = self._sources[k - 1], self._sources[k]
        return y0 + (self._pulled - x0) * (y1 - y0) / (x1 - x0)

    @property
    def committed(self) -> Committed:
        """Up to where the output is decided: the centre of the last window."""
        return Committed(self._outputs[-1] - self._pulled, self._sources[-1])

    def _advance(self, rate: float) -> None:
        """Feed what the next window needs and take what comes out."""
        self._engine.time_ratio = 1.0 / rate
        n = min(max(int(self._engine.get_samples_required()), 1), LARGEST_FEED)
        feed = self._feed[:, :n]
        self._recording.window(self._fed, n, feed)
        self._engine.process(np.ascontiguousarray(feed), False)
        self._fed += n
        self._outputs.append(float(self._made + self._ahead))
        self._sources.append(float(self._fed - self._behind))
        new = int(self._engine.available())
        if new > 0:
            self._ready = np.concatenate([self._ready, self._engine.retrieve(new)], axis=1)
            self._made += new
        while len(self._outputs) > 2 and self._outputs[1] <= self._pulled - 1:
            del self._outputs[0], self._sources[0]
