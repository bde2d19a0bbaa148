"""Plain numpy versions of `follower.kernels.features` and of the whole feature computation of one frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig


def banded_power(
    spectrum: NDArray[np.complex64], first_bin: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    power = np.abs(spectrum.astype(np.complex128)) ** 2
    padded = np.concatenate([power, np.zeros(weights.shape[1])])
    return np.array([w @ padded[k : k + len(w)] for k, w in zip(first_bin, weights, strict=True)])


def cepstrum(mel_power: NDArray[np.float64], basis: NDArray[np.float64], floor_power: float) -> NDArray[np.float64]:
    coefficients: NDArray[np.float64] = basis @ (10 * np.log10(np.maximum(mel_power, floor_power)))
    return coefficients


def semitone_amplitudes(signal: NDArray[np.float64], frame: int, config: FeatureConfig) -> NDArray[np.float64]:
    """The 88 values of one frame, from the definition: right-aligned Hann windows, triangles in frequency."""
    c = config
    end = (frame + 1) * c.hop_samples
    out = np.zeros(c.n_semitones)
    for i in range(c.n_semitones):
        midi = c.lowest_midi + i
        n = (
            c.low_fft_samples
            if midi < c.mid_from_midi
            else (c.mid_fft_samples if midi < c.high_from_midi else c.high_fft_samples)
        )
        x = np.zeros(n)
        part = signal[max(0, end - n) : end]
        x[n - len(part) :] = part
        w = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
        power = np.abs(np.fft.rfft(x * w) / (w.sum() / 2)) ** 2
        bin_hz = c.sample_rate_hz / n
        centre = 440 * 2 ** ((midi - 69) / 12)
        below = max(centre * (1 - 2 ** (-1 / 12)), bin_hz)
        above = max(centre * (2 ** (1 / 12) - 1), bin_hz)
        for k, p in enumerate(power):
            f = k * bin_hz
            tri = 1 - (centre - f) / below if f <= centre else 1 - (f - centre) / above
            out[i] += max(tri, 0.0) * p
    return np.sqrt(out)
