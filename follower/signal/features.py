"""Causal audio features, the same live and at prep time.

`Framer` is the only place that re-blocks audio. `FeatureStream` puts a streaming resampler before it and computes
every frame by itself, in the same order of operations however the audio was cut, so that a whole file, random
chunks and single samples give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from follower.config import FeatureConfig, require
from follower.kernels import features as kernels
from follower.signal.filterbanks import mel_filters, semitone_filters
from follower.signal.framing import Framer

MAX_SAMPLE = 16.0
"""Samples are clipped to this magnitude (full scale is 1): a broken driver cannot overflow a sum of squares."""
MEL_FLOOR_POWER = 1e-10
"""Mel power counted as silence (-100 dB), librosa's `amin`."""
RESAMPLER_QUALITY = "LQ"
"""soxr's quality: lags 1..22 ms behind its input; "HQ" 5..42 ms. Both are bit-identical under any chunking."""


@dataclass(frozen=True, slots=True)
class FeatureFrames:
    """Features of n consecutive frames; frame k has seen samples up to (k + 1) * hop at the feature rate.

    Attributes:
        pitch: (n, 88) float32, square root of the power of each semitone; a sinusoid of amplitude a gives about a.
        mfcc: (n, 13) float32, from dB mel power, orthonormal DCT.
        rms: (n,) float32, of the newest `high_fft_samples`.
    """

    pitch: NDArray[np.float32]
    mfcc: NDArray[np.float32]
    rms: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.rms)


def concatenate(parts: list[FeatureFrames], config: FeatureConfig) -> FeatureFrames:
    """Join frames in order; an empty list gives zero frames."""
    parts = [FeatureFrames(*_empty(0, config)), *parts]
    return FeatureFrames(
        np.concatenate([p.pitch for p in parts]),
        np.concatenate([p.mfcc for p in parts]),
        np.concatenate([p.rms for p in parts]),
    )


def _empty(n: int, config: FeatureConfig) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    return (
        np.empty((n, config.n_semitones), np.float32),
        np.empty((n, config.n_mfcc), np.float32),
        np.empty(n, np.float32),
    )


@dataclass(frozen=True, slots=True)
class _Register:
    """One FFT size and the semitones read from it."""

    window: NDArray[np.float32]
    bands: slice
    first_bin: NDArray[np.int64]
    weights: NDArray[np.float64]


class FeatureStream:
    """Streaming features of a mono signal at any rate.

    >>> stream = FeatureStream(FeatureConfig(), 22050)
    >>> len(stream.extract(np.zeros(1000, np.float32))), len(stream.extract(np.zeros(24, np.float32)))
    (1, 1)
    """

    def __init__(self, config: FeatureConfig, input_rate_hz: int) -> None:
        """Make the filterbanks.

        Raises:
            ConfigError: `input_rate_hz` outside 1000..768000.
        """
        require(1000 <= input_rate_hz <= 768_000, "input_rate_hz", input_rate_hz, "1000..768000")
        self.config = config
        self.input_rate_hz = input_rate_hz
        c = config
        bounds = (c.lowest_midi, c.mid_from_midi, c.high_from_midi, c.lowest_midi + c.n_semitones)
        self._registers = [
            self._register(n, lo, hi)
            for n, lo, hi in zip(
                (c.low_fft_samples, c.mid_fft_samples, c.high_fft_samples), bounds[:-1], bounds[1:], strict=True
            )
            if hi > lo
        ]
        n = c.high_fft_samples
        self._mel_window = _hann(n)
        self._mel_first, self._mel_weights = mel_filters(c)
        # scipy.fft.dct(type=2, norm="ortho") of the unit vectors differs in the last bits, and every cache holds these.
        m = np.arange(c.n_mels)
        basis = np.cos(np.pi * np.arange(c.n_mfcc)[:, None] * (2 * m + 1) / (2 * c.n_mels))
        basis *= np.sqrt(2 / c.n_mels)
        basis[0] /= np.sqrt(2)
        self._dct = basis
        self._framer = Framer(max(c.low_fft_samples, n), c.hop_samples)
        self._nothing = FeatureFrames(*_empty(0, config))
        self.reset()

    def _register(self, fft_samples: int, first_midi: int, end_midi: int) -> _Register:
        window = _hann(fft_samples)
        first_bin, weights = semitone_filters(self.config, fft_samples, first_midi, end_midi - 1)
        low = self.config.lowest_midi
        scale = 2.0 / float(np.sum(window, dtype=np.float64))
        return _Register(window, slice(first_midi - low, end_midi - low), first_bin, weights * scale**2)

    def reset(self) -> None:
        """Forget all audio; the same as a fresh stream."""
        self._framer.reset()
        self._resampler = (
            None
            if self.input_rate_hz == self.config.sample_rate_hz
            else soxr.ResampleStream(
                self.input_rate_hz, self.config.sample_rate_hz, 1, dtype="float32", quality=RESAMPLER_QUALITY
            )
        )

    def extract(self, samples: NDArray[np.float32]) -> FeatureFrames:
        """Take the next samples (n,), n >= 0, full scale +-1; return the frames they complete.

        Values that are not finite count as silence, and magnitudes are limited to `MAX_SAMPLE`.
        """
        x = kernels.clean(np.ascontiguousarray(samples, np.float32), np.float32(MAX_SAMPLE))
        return self._frames(x if self._resampler is None else self._resampler.resample_chunk(x))

    def finish(self) -> FeatureFrames:
        """Return the frames still inside the resampler; an unfinished hop is dropped. Then `reset`."""
        tail = np.empty(0, np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        frames = self._frames(tail)
        self.reset()
        return frames

    def _frames(self, audio: NDArray[np.float32]) -> FeatureFrames:
        windows = self._framer.process(audio)
        if len(windows) == 0:
            return self._nothing
        pitch, mfcc, rms = _empty(len(windows), self.config)
        power = np.empty(self.config.n_semitones)
        mel_power = np.empty(self.config.n_mels)
        for k, window in enumerate(windows):
            # One transform at a time: pocketfft's vector path for several rows need not round as its scalar one.
            for r in self._registers:
                spectrum = scipy.fft.rfft(window[-len(r.window) :] * r.window)
                kernels.banded_power(spectrum, r.first_bin, r.weights, power[r.bands])
            newest = window[-len(self._mel_window) :]
            if len(self._registers[-1].window) != len(self._mel_window):
                spectrum = scipy.fft.rfft(newest * self._mel_window)
            pitch[k] = np.sqrt(power)
            kernels.banded_power(spectrum, self._mel_first, self._mel_weights, mel_power)
            kernels.cepstrum(mel_power, self._dct, MEL_FLOOR_POWER, mfcc[k])
            rms[k] = kernels.root_mean_square(newest)
        return FeatureFrames(pitch, mfcc, rms)


def _hann(n: int) -> NDArray[np.float32]:
    """Periodic Hann window of n samples.

    The same floats as `scipy.signal.windows.hann`, without loading scipy.signal (0.7 s of processor time, 50 MB).
    """
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)
