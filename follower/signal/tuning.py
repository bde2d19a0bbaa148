"""The tuning of what is played: cents above A = 440 Hz, with how sure that is. Works block by block, no clock.

Every partial between 200 and 1100 Hz that stands out says how far it is from the nearest note of the equally tempered
scale; on the circle of a semitone those votes are averaged over the last seconds. Below, the resolution is too coarse,
above, a piano's partials are stretched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.37
HOP_S = 0.12
LOWEST_HZ, HIGHEST_HZ = 200.0, 1100.0
PEAKS = 8
"""Of a window, the strongest ones."""
PEAK_SHARE = 0.1
"""Peaks weaker than this share of the strongest are not counted."""
FLOOR = 1e-4
"""RMS under which a window is silence."""
MEMORY_S = 12.0
"""Time in which the weight of what was heard falls to 1/e."""
MAX_ERROR_CENTS = 3.0
"""An estimate with a larger standard error is not given."""
MIN_VOTES = 12.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """An estimate.

    Attributes:
        cents: above A = 440 Hz, -50..50.
        error_cents: its standard error.
    """

    cents: float
    error_cents: float


class TuningEstimator:
    """Listens to a stream of one instrument or of many.

    Args:
        sample_rate_hz: of the samples.

    Example:
        >>> t = np.arange(3 * 44100) / 44100
        >>> estimator = TuningEstimator(44100)
        >>> estimator.push((0.1 * np.sin(2 * np.pi * 442.0 * t)).astype(np.float32))
        >>> found = estimator.estimate
        >>> found is not None and abs(found.cents - 7.85) < 0.5
        True
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._n = 1 << round(math.log2(WINDOW_S * sample_rate_hz))
        self._hop = round(HOP_S * sample_rate_hz)
        self._window = np.hanning(self._n).astype(np.float32)
        self._decay = math.exp(-HOP_S / MEMORY_S)
        self._low = max(int(LOWEST_HZ * self._n / sample_rate_hz), 1)
        self._high = int(HIGHEST_HZ * self._n / sample_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._held: NDArray[np.float32] = np.zeros(0, np.float32)
        self._sum = 0j
        self._weight = 0.0
        self._squares = 0.0

    def push(self, samples: NDArray[np.float32]) -> None:
        """Hear (n,) more samples."""
        self._held = np.concatenate([self._held, samples])
        while len(self._held) >= self._n:
            self._hear(self._held[: self._n])
            self._held = self._held[self._hop :]

    @property
    def estimate(self) -> Tuning | None:
        """The tuning; None while too little was heard, or it is too unsure."""
        if self._squares <= 0.0 or self._weight**2 / self._squares < MIN_VOTES:
            return None
        length = min(abs(self._sum) / self._weight, 1.0)
        if length < 0.2:
            return None
        # Circular standard deviation over the root of the effective number of votes; neighbouring windows overlap.
        spread = math.sqrt(-2.0 * math.log(length)) * 100.0 / (2.0 * math.pi)
        votes = self._weight**2 / self._squares * HOP_S / WINDOW_S
        error = spread / math.sqrt(max(votes, 1.0))
        if error > MAX_ERROR_CENTS:
            return None
        return Tuning(math.atan2(self._sum.imag, self._sum.real) * 100.0 / (2.0 * math.pi), error)

    def _hear(self, window: NDArray[np.float32]) -> None:
        if float(np.sqrt(np.mean(window**2))) < FLOOR:
            return
        self._sum *= self._decay
        self._weight *= self._decay
        self._squares *= self._decay**2
        spectrum = np.abs(np.fft.rfft(window * self._window))
        inner = spectrum[self._low : self._high]
        before, after = spectrum[self._low - 1 : self._high - 1], spectrum[self._low + 1 : self._high + 1]
        peaks = np.flatnonzero((inner > before) & (inner >= after))
        if len(peaks) == 0:
            return
        peaks = peaks[np.argsort(-inner[peaks], kind="stable")[:PEAKS]]
        peaks = peaks[inner[peaks] >= PEAK_SHARE * inner[peaks[0]]] + self._low
        left, mid, right = (np.log(spectrum[peaks + k] + 1e-12) for k in (-1, 0, 1))
        offset = 0.5 * (left - right) / np.minimum(left - 2 * mid + right, -1e-9)
        hz = (peaks + offset) * self._sample_rate_hz / self._n
        semitones = 12.0 * np.log2(hz / 440.0)
        weights = np.sqrt(spectrum[peaks] / spectrum[peaks[0]])
        votes = weights * np.exp(2j * math.pi * semitones)
        self._sum += complex(votes.sum())
        self._weight += float(weights.sum())
        self._squares += float((weights**2).sum())


def tuning_of(samples: NDArray[np.float32], sample_rate_hz: int) -> Tuning | None:
    """Estimate the tuning of a whole recording (n,), from at most a minute spread over it."""
    estimator = TuningEstimator(sample_rate_hz)
    piece = 2 * estimator._n
    starts = np.linspace(0, max(len(samples) - piece, 0), 80, dtype=int)
    for start in dict.fromkeys(starts.tolist()):
        estimator._held = np.zeros(0, np.float32)
        estimator.push(samples[start : start + piece])
    return estimator.estimate
