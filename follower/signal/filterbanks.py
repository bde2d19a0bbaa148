"""Filterbanks over FFT bins: semitones and mel bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from follower.config import FeatureConfig


def semitone_filters(
    config: FeatureConfig, fft_samples: int, first_midi: int, last_midi: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Triangles that fall to zero one semitone (at least one bin) from each centre, over an FFT's bins.

    Returns:
        (first_bin (n,), weights (n, width)) for the semitones first_midi..last_midi, for `kernels.banded_power`.
    """
    bin_hz = config.sample_rate_hz / fft_samples
    bins_hz = np.arange(fft_samples // 2 + 1) * bin_hz
    centre = 440.0 * 2.0 ** ((np.arange(first_midi, last_midi + 1) - 69) / 12)
    below = np.maximum(centre * (1 - 2 ** (-1 / 12)), bin_hz)[:, None]
    above = np.maximum(centre * (2 ** (1 / 12) - 1), bin_hz)[:, None]
    offset = bins_hz - centre[:, None]
    return _banded(np.clip(np.where(offset <= 0, 1 + offset / below, 1 - offset / above), 0, None))


def mel_filters(config: FeatureConfig) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Slaney-scale, area-normalised mel filters over `high_fft_samples`, as `librosa.filters.mel`, banded.

    Returns:
        (first_bin (n_mels,), weights (n_mels, width)).
    """
    edges_mel = np.linspace(0.0, _hz_to_mel(config.sample_rate_hz / 2), config.n_mels + 2)
    linear = edges_mel * (200.0 / 3)
    edges = np.where(edges_mel < 15, linear, 1000.0 * np.exp((edges_mel - 15) * (np.log(6.4) / 27)))
    bins_hz = np.arange(config.high_fft_samples // 2 + 1) * (config.sample_rate_hz / config.high_fft_samples)
    rising = (bins_hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins_hz) / (edges[2:] - edges[1:-1])[:, None]
    return _banded(np.clip(np.minimum(rising, falling), 0, None) * (2.0 / (edges[2:] - edges[:-2]))[:, None])


def _hz_to_mel(hz: float) -> float:
    """Slaney's scale: linear to 1000 Hz, logarithmic above."""
    return hz * 3 / 200 if hz < 1000 else 15 + float(np.log(hz / 1000)) * 27 / float(np.log(6.4))


def _banded(dense: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pack filters (n, n_bins) into first bins and zero-padded rows; an empty filter stays empty."""
    used = dense > 0
    first = np.argmax(used, axis=1)
    last = dense.shape[1] - np.argmax(used[:, ::-1], axis=1)
    width = max(int(np.max(np.where(used.any(axis=1), last - first, 1))), 1)
    padded = np.concatenate([dense, np.zeros((len(dense), width))], axis=1)
    weights = np.stack([row[k : k + width] for row, k in zip(padded, first, strict=True)])
    return first.astype(np.int64), np.ascontiguousarray(weights)
