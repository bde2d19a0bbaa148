"""Short-time spectra at any sample rate with nearly the same raster of time and frequency, and their bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAMES_OVERLAP: Final = 4
"""A window is so many hops long: Hann windows then add up to a constant, squared too."""
BIN_HZ: Final = 22050 / 2048
"""A window of 93 ms: long enough to part neighbouring semitones from 180 Hz on, short enough for a piano's attack."""
LINEAR_UP_TO_HZ: Final = 2000.0
"""Bands are a bin wide up to here; above, where partials lie further apart, as wide as a share of their frequency."""
TOP_HZ: Final = 11025.0
"""Highest frequency looked at; what lies above is divided as the band below it is."""


@dataclass(frozen=True)
class Raster:
    """Times and frequencies of the spectra of one recording.

    Attributes:
        sample_rate_hz: of the recording.
        window_samples: length of the window, four hops.

    Example:
        >>> Raster.at(44100).window_samples, Raster.at(22050).n_bins
        (4096, 1025)
    """

    sample_rate_hz: int
    window_samples: int

    @classmethod
    def at(cls, sample_rate_hz: int) -> Raster:
        """The raster for a sample rate."""
        return cls(sample_rate_hz, FRAMES_OVERLAP * max(round(sample_rate_hz / BIN_HZ / FRAMES_OVERLAP), 4))

    @property
    def hop_samples(self) -> int:
        """From one frame to the next."""
        return self.window_samples // FRAMES_OVERLAP

    @property
    def n_bins(self) -> int:
        """Frequencies of a spectrum, 0 Hz included."""
        return self.window_samples // 2 + 1

    @property
    def bin_hz(self) -> float:
        """From one frequency to the next."""
        return self.sample_rate_hz / self.window_samples

    def window(self) -> NDArray[np.float32]:
        """The periodic Hann window."""
        n = np.arange(self.window_samples)
        return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * n / self.window_samples), np.float32)

    def spectra_at(self, samples: NDArray[np.float32], centres: NDArray[np.float64]) -> NDArray[np.complex64]:
        """Spectra (n_bins, T) of a mono signal round T centres in samples; silence lies outside it."""
        half = self.window_samples // 2
        begin = np.clip(np.rint(centres), -half, len(samples) + half).astype(np.int64) + half
        padded = np.pad(samples, (2 * half, 2 * half))
        out = np.empty((self.n_bins, len(begin)), np.complex64)
        window, offsets = self.window(), np.arange(self.window_samples)
        for k in range(0, len(begin), 256):
            part = padded[begin[k : k + 256, None] + offsets]
            out[:, k : k + 256] = np.fft.rfft(part * window, axis=1).T
        return out

    def n_frames(self, n_samples: int) -> int:
        """Frames whose windows together cover so many samples wholly."""
        return n_samples // self.hop_samples + 2

    def analyse(self, samples: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Spectra (n_bins, T) of a mono signal, frame t round sample t * hop."""
        centres = np.arange(self.n_frames(len(samples)), dtype=np.float64) * self.hop_samples
        padded = np.pad(samples, (0, 2 * self.window_samples))
        return self.spectra_at(padded, centres)

    def synthesise(self, spectra: NDArray[np.complex64], n_samples: int) -> NDArray[np.float32]:
        """The signal (n_samples,) of spectra as `analyse` makes them; of unchanged ones the signal itself."""
        window, half, hop = self.window(), self.window_samples // 2, self.hop_samples
        frames = np.fft.irfft(spectra, self.window_samples, axis=0).astype(np.float32) * window[:, None]
        out: NDArray[np.float32] = np.zeros(hop * (spectra.shape[1] - 1) + self.window_samples, np.float32)
        weight = np.zeros_like(out)
        for t in range(spectra.shape[1]):
            out[t * hop : t * hop + self.window_samples] += frames[:, t]
            weight[t * hop : t * hop + self.window_samples] += window**2
        inside = slice(half, half + n_samples)
        return np.asarray(out[inside] / np.maximum(weight[inside], 1e-6), np.float32)


def band_edges_hz() -> NDArray[np.float64]:
    """Edges (n_bands + 1,) of the bands, from below the first bin's frequency 0 to `TOP_HZ`."""
    edges = [-0.5 * BIN_HZ]
    while edges[-1] < TOP_HZ:
        edges.append(edges[-1] + BIN_HZ * max(1, round(edges[-1] / LINEAR_UP_TO_HZ)))
    return np.array(edges)


@dataclass(frozen=True, eq=False)
class Bands:
    """The bands of a raster.

    Attributes:
        edges: shape (n + 1,), where bands begin and end, in bins; a bin k reaches from k - 0.5 to k + 0.5.
        of_bin: shape (n_bins,), number of the band each bin lies in.
    """

    edges: NDArray[np.float64]
    of_bin: NDArray[np.int64]

    @classmethod
    def of(cls, raster: Raster, raised: float = 1.0) -> Bands:
        """Bands of a raster.

        Args:
            raster: of the recording.
            raised: the recording is to be raised by this ratio of frequencies before its bands are taken.
        """
        edges_hz = band_edges_hz()
        centre_hz = np.arange(raster.n_bins) * raster.bin_hz * raised
        of_bin = np.clip(np.searchsorted(edges_hz, centre_hz, side="right") - 1, 0, len(edges_hz) - 2)
        return cls(edges_hz / raised / raster.bin_hz, of_bin)

    def sums(self, per_bin: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sums (n, T) over each band of values (n_bins, T); a bin on an edge counts on both sides, by its shares."""
        total = np.concatenate([np.zeros((1, per_bin.shape[1])), np.cumsum(per_bin, axis=0, dtype=np.float64)])
        at = np.clip(self.edges + 0.5, 0.0, len(per_bin))
        low = np.minimum(at.astype(np.int64), len(per_bin) - 1)
        share = (at - low)[:, None]
        return np.asarray(np.diff(total[low] * (1 - share) + total[low + 1] * share, axis=0), np.float32)

    def levels(self, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Magnitudes (n, T): roots of the bands' power."""
        return np.asarray(np.sqrt(np.maximum(self.sums(spectra.real**2 + spectra.imag**2), 0.0)), np.float32)

    def spread(self, per_band: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values (n_bins, T) of the bins, each as its band's."""
        return np.asarray(per_band[self.of_bin], np.float32)
