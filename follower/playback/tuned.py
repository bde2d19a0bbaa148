"""A stretcher whose pitch can be moved: what another stretcher gives is read a little faster or slower."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from follower.kernels import stretch as kernels
from follower.playback.reading_between import TAPS, make_table
from follower.playback.stretcher import MAX_RATE, MIN_RATE, Committed, Stretcher

MAX_SHIFT_CENTS = 60.0
"""Pianos and orchestras stand less far apart: 415 to 430 Hz, or 440 to 455, is as much."""
BEYOND = math.exp2(MAX_SHIFT_CENTS / 1200.0)
"""At the bounds of the rate the other stretcher goes this factor beyond them."""


class TunedStretcher:
    """See `follower.playback.stretcher.Stretcher`; `shift_cents` may change at any time and acts at once.

    At a shift of 0 from the beginning on the other stretcher's samples come through unchanged.

    Args:
        stretcher: what it reads.

    Attributes:
        shift_cents: how much higher than recorded; within +-`MAX_SHIFT_CENTS`.

    Example:
        >>> from follower.playback.recording import OrchestraRecording
        >>> from follower.playback.vocoder import VocoderStretcher
        >>> recording = OrchestraRecording.from_samples(np.zeros(8000, np.float32), 8000)
        >>> tuned = TunedStretcher(VocoderStretcher(recording))
        >>> tuned.start(1000.0, 1.0)
        >>> tuned.shift_cents = 7.9
        >>> tuned.pull(160, 1.0).shape
        (160, 1)
    """

    def __init__(self, stretcher: Stretcher) -> None:
        self.shift_cents = 0.0
        self._inner = stretcher
        self._table = make_table()
        self._held: NDArray[np.float32] = np.zeros((0, 1), np.float32)
        self._at = 0.0
        self._rate = 1.0

    def start(self, source_sample: float, rate: float) -> None:
        """Forget everything; the next output sample is `source_sample` of the recording, played at `rate`."""
        self._inner.start(source_sample, self._inner_rate(rate))
        first = self._inner.pull(TAPS // 2, self._inner_rate(rate))
        # The samples before the first, which the sinc reaches back to, are silence: a voice begins with a fade.
        self._held = np.concatenate([np.zeros((TAPS // 2 - 1, first.shape[1]), np.float32), first])
        self._at = float(TAPS // 2 - 1)
        self._rate = rate

    def pull(self, n: int, rate: float) -> NDArray[np.float32]:
        """Return the next `n` output samples, shape (n, channels)."""
        step = self._step
        missing = math.ceil(self._at + step * n) + TAPS // 2 - len(self._held)
        if missing > 0:
            self._held = np.concatenate([self._held, self._inner.pull(missing, self._inner_rate(rate))])
        out = np.empty((n, self._held.shape[1]), np.float32)
        kernels.read_between(self._held, self._at, step, self._table, out)
        self._at += step * n
        self._rate = rate
        passed = math.floor(self._at) - (TAPS // 2 - 1)
        self._held = self._held[passed:]
        self._at -= passed
        return out

    @property
    def source_sample(self) -> float:
        """Position in the recording (samples, fractional) of the next output sample."""
        return self._inner.source_sample - self._ahead * self._inner_rate(self._rate)

    @property
    def committed(self) -> Committed:
        """Up to where the output is decided."""
        ahead, source = self._inner.committed
        return Committed((ahead + self._ahead) / self._step, source)

    @property
    def _ahead(self) -> float:
        """Samples of the other stretcher's that were pulled and not read."""
        return len(self._held) - self._at

    @property
    def _step(self) -> float:
        return math.exp2(max(-MAX_SHIFT_CENTS, min(MAX_SHIFT_CENTS, self.shift_cents)) / 1200.0)

    def _inner_rate(self, rate: float) -> float:
        """What is read faster must be stretched more."""
        return max(MIN_RATE / BEYOND, min(MAX_RATE * BEYOND, rate / self._step))
