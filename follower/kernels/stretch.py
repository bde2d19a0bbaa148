"""The time stretcher's inner loops: attack finding, phase locking of one synthesis frame, and the limiter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def difference_power(samples: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    """Return the power of the first difference, summed over channels, of each whole block of `block` samples.

    Args:
        samples: (channels, n).
        block: samples per block, >= 1.

    Returns:
        (n // block,).
    """
    n_blocks = samples.shape[1] // block
    out = np.zeros(n_blocks)
    for c in range(samples.shape[0]):
        previous = float(samples[c, 0]) if samples.shape[1] > 0 else 0.0
        for b in range(n_blocks):
            total = 0.0
            for i in range(b * block, (b + 1) * block):
                x = float(samples[c, i])
                d = x - previous
                previous = x
                total += d * d
            out[b] += total
    return out


@njit(cache=True)
def power_rises(
    power: NDArray[np.float64], memory: int, factor: float, floor: float, spacing: int
) -> NDArray[np.int64]:
    """Return the indices where `power` exceeds `floor` and `factor` times the largest of the `memory` values before.

    After an index the next one is at least `spacing` later.
    """
    out = np.empty(len(power), np.int64)
    count = 0
    last = -spacing
    for k in range(1, len(power)):
        if power[k] <= floor or k - last < spacing:
            continue
        largest = 0.0
        for j in range(max(k - memory, 0), k):
            largest = max(largest, power[j])
        if power[k] > factor * largest:
            out[count] = k
            count += 1
            last = k
    return out[:count].copy()


@njit(cache=True)
def _next_peak(power: NDArray[np.float64], first: int) -> int:
    """Return the first local maximum at or after `first`, or len(power)."""
    n = len(power)
    for b in range(first, n):
        if (b == 0 or power[b] > power[b - 1]) and (b + 1 == n or power[b] >= power[b + 1]):
            return b
    return n


@njit(cache=True)
def lock_phases(
    current: NDArray[np.complex64],
    back: NDArray[np.complex64],
    previous: NDArray[np.complex64],
    fresh: NDArray[np.bool_],
    out: NDArray[np.complex64],
) -> None:
    """Rotate every peak region of `current` so that it continues what was synthesised before.

    `back` is the source one synthesis hop before `current`, `previous` the last synthesised frame: both stand at the
    same place of the output, so the rotation that turns `back` into `previous` round a spectral peak also continues
    the partial through `current`. It is shared by the whole region between two valleys (identity phase locking,
    Laroche and Dolson 1999) and by all channels, which keeps the stereo image.

    Args:
        current: (channels, bins) spectrum of the source frame to place.
        back: (channels, bins) spectrum of the source one synthesis hop earlier.
        previous: (channels, bins) last synthesised spectrum.
        fresh: (bins,) where true for the peak, the region keeps the source's own phase (an attack).
        out: (channels, bins), written.
    """
    n_channels, n_bins = current.shape
    power = np.zeros(n_bins)
    for c in range(n_channels):
        for b in range(n_bins):
            re = float(current[c, b].real)
            im = float(current[c, b].imag)
            power[b] += re * re + im * im
    first = 0
    peak = _next_peak(power, 0)
    while first < n_bins:
        following = _next_peak(power, peak + 1)
        last = n_bins
        if following < n_bins:
            # The region ends at the valley between this peak and the next.
            last = peak + 1
            for k in range(peak + 2, following):
                if power[k] < power[last]:
                    last = k
        zr = 1.0
        zi = 0.0
        if peak < n_bins and not fresh[peak]:
            sr = 0.0
            si = 0.0
            for c in range(n_channels):
                for k in range(max(peak - 1, first), min(peak + 2, last)):
                    yr = float(previous[c, k].real)
                    yi = float(previous[c, k].imag)
                    xr = float(back[c, k].real)
                    xi = float(back[c, k].imag)
                    sr += yr * xr + yi * xi
                    si += yi * xr - yr * xi
            size = np.sqrt(sr * sr + si * si)
            if size > 1e-30:
                zr = sr / size
                zi = si / size
        z = np.complex64(complex(zr, zi))
        for c in range(n_channels):
            for k in range(first, last):
                out[c, k] = current[c, k] * z
        first = last
        peak = following


@njit(cache=True)
def limit(
    samples: NDArray[np.float32],
    ceiling: float,
    release: float,
    state: NDArray[np.float64],
    delay: NDArray[np.float32],
    ramp: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Look-ahead peak limiter, one gain for all channels; the output lags the input by the look-ahead.

    Args:
        samples: (n, channels) input.
        ceiling: largest magnitude let through.
        release: share of the way back to gain 1 per sample.
        state: (2,) write index into the delay line, and the gain; updated.
        delay: (look-ahead, channels) delay line; updated.
        ramp: (look-ahead,) the gain each delayed sample must not exceed; updated.
        out: (n, channels), written.
    """
    n, n_channels = samples.shape
    length = delay.shape[0]
    at = int(state[0])
    gain = state[1]
    for i in range(n):
        peak = 0.0
        for c in range(n_channels):
            peak = max(peak, abs(float(samples[i, c])))
        needed = ceiling / peak if peak > ceiling else 1.0
        for c in range(n_channels):
            out[i, c] = delay[at, c]
            delay[at, c] = samples[i, c]
        leaving = ramp[at]
        ramp[at] = needed
        at = (at + 1) % length
        # The steepest descent any sample still in the line asks for, and the slow way back up.
        target = gain + (1.0 - gain) * release
        for k in range(length):
            wanted = ramp[(at + k) % length]
            if wanted < gain:
                target = min(target, gain + (wanted - gain) / (k + 1))
        gain = min(target, leaving)
        for c in range(n_channels):
            out[i, c] = np.float32(out[i, c] * gain)
    state[0] = at
    state[1] = gain


@njit(cache=True)
def read_between(
    samples: NDArray[np.float32],
    first: float,
    step: float,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Read a signal at fractional positions first, first + step, ... with a windowed sinc.

    Args:
        samples: (n, channels).
        first: position of the first sample read; every position has table.shape[1] / 2 samples on both sides.
        step: distance of the positions, near 1.
        table: (phases + 1, taps) windowed sinc at each fraction of a sample; phases between two rows are interpolated.
        out: (m, channels), written.
    """
    phases = table.shape[0] - 1
    taps = table.shape[1]
    half = taps // 2
    for i in range(out.shape[0]):
        at = first + step * i
        whole = int(np.floor(at))
        phase = (at - whole) * phases
        row = min(int(phase), phases - 1)
        share = phase - row
        for c in range(out.shape[1]):
            total = 0.0
            for k in range(taps):
                weight = table[row, k] + share * (table[row + 1, k] - table[row, k])
                total += weight * samples[whole - half + 1 + k, c]
            out[i, c] = total


def warmup() -> None:
    """Compile (or load from numba's cache) every kernel of this file."""
    x = np.zeros((1, 8), np.float32)
    power_rises(difference_power(x, 2), 2, 4.0, 1e-9, 2)
    s = np.ones((1, 4), np.complex64)
    lock_phases(s, s, s, np.zeros(4, np.bool_), s.copy())
    limit(x.T.copy(), 1.0, 0.01, np.ones(2), np.zeros((2, 1), np.float32), np.ones(2), x.T.copy())
    read_between(np.zeros((4, 1), np.float32), 1.0, 1.0, np.ones((2, 2), np.float32), np.zeros((1, 1), np.float32))
