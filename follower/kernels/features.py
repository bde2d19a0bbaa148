"""The features of a frame: sums that must not depend on how many frames come at once, and what is done to every sample.

BLAS orders its sums by the shape of the matrix, so a frame's product can change in the last bit with the number of
frames beside it; these loops always add in the same order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def clean(samples: NDArray[np.float32], limit: np.float32) -> NDArray[np.float32]:
    """Return a copy of `samples` (n,) within +-`limit`, what is not finite as 0."""
    out = np.empty_like(samples)
    for i in range(len(samples)):
        x = samples[i]
        out[i] = min(max(x, -limit), limit) if np.isfinite(x) else np.float32(0.0)
    return out


@njit(cache=True)
def banded_power(
    spectrum: NDArray[np.complex64],
    first_bin: NDArray[np.int64],
    weights: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Filter one frame's power spectrum: `out[b] = sum_i weights[b, i] |spectrum[first_bin[b] + i]|^2`.

    Args:
        spectrum: (n_bins,) of one frame.
        first_bin: (n_bands,) first bin of each band.
        weights: (n_bands, width), zero padded; bins beyond the spectrum count as zero.
        out: (n_bands,), written.
    """
    n_bins = spectrum.shape[0]
    for b in range(weights.shape[0]):
        total = 0.0
        for i in range(weights.shape[1]):
            k = first_bin[b] + i
            w = weights[b, i]
            if w != 0.0 and k < n_bins:
                re = np.float64(spectrum[k].real)
                im = np.float64(spectrum[k].imag)
                total += w * (re * re + im * im)
        out[b] = total


@njit(cache=True)
def cepstrum(
    mel_power: NDArray[np.float64], basis: NDArray[np.float64], floor_power: float, out: NDArray[np.float32]
) -> None:
    """Write the MFCC of one frame: `out[c] = sum_m basis[c, m] * 10 log10(max(mel_power[m], floor_power))`.

    Args:
        mel_power: (n_mels,).
        basis: (n_mfcc, n_mels), orthonormal DCT-II rows.
        floor_power: smallest power, so that silence has finite values.
        out: (n_mfcc,), written.
    """
    n = mel_power.shape[0]
    level_db = np.empty(n)
    for m in range(n):
        level_db[m] = 10.0 * np.log10(max(mel_power[m], floor_power))
    for c in range(out.shape[0]):
        total = 0.0
        for m in range(n):
            total += basis[c, m] * level_db[m]
        out[c] = total


@njit(cache=True)
def root_mean_square(samples: NDArray[np.float32]) -> float:
    """Return the RMS of `samples` (n,), summed in order in double precision."""
    total = 0.0
    for i in range(samples.shape[0]):
        x = np.float64(samples[i])
        total += x * x
    return float(np.sqrt(total / samples.shape[0]))


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    out = np.empty(2)
    banded_power(np.ones(4, np.complex64), np.zeros(2, np.int64), np.ones((2, 2)), out)
    cepstrum(out, np.ones((2, 2)), 1e-10, np.empty(2, np.float32))
    newest = np.ones(4, np.float32)
    root_mean_square(newest)
    clean(newest, np.float32(1.0))
    newest.setflags(write=False)  # as a source's blocks may be: to numba a type of its own
    clean(newest, np.float32(1.0))
