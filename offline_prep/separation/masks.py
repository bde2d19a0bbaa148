"""From the piano's share of each band to its spectra: Wiener filters, across the channels where there are two.

One channel: the piano takes its share of every band.  Two channels: each band of each part also has a place between
the channels, a spatial covariance, estimated from the mix by expectation maximisation; the filter then uses both
(N. Q. K. Duong, E. Vincent and R. Gribonval, "Under-determined reverberant audio source separation using a full-rank
spatial covariance model", IEEE TASLP 18(7), 2010).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.separation.factorise import Parts
from offline_prep.separation.spectra import Bands

Complex = NDArray[np.complex64]
N_PLACED = 2
"""So many channels have places; of more, each is filtered by itself."""
LEAST_POWER = np.float32(1e-12)
SHARED_PLACE = np.float32(0.02)
"""A part is a little everywhere: this share of its covariance is the same in all directions."""


def piano_share(parts: Parts, power: float) -> NDArray[np.float32]:
    """The piano's share (bands, frames) of the mix, 0..1; 0 where nothing sounds.

    Args:
        parts: levels.
        power: to which the levels are raised before they take their shares.
    """
    scale = np.float32(max(float(parts.piano.mean()), float(parts.orchestra.mean()), 1e-12))
    piano, orchestra = ((a / scale) ** np.float32(power) for a in (parts.piano, parts.orchestra))
    return np.asarray(piano / (piano + orchestra + LEAST_POWER), np.float32)


def piano_spectra(
    channels: Complex, bands: Bands, share: NDArray[np.float32], levels: NDArray[np.float32], spatial_rounds: int
) -> Complex:
    """Spectra (channels, bins, frames) of the piano alone; the orchestra's are what is missing to the mix's.

    Args:
        channels: (channels, bins, frames) of the mix.
        bands: of the mix's raster.
        share: (bands, frames), the piano's of the mix, 0..1.
        levels: (bands, frames) of the mix over all channels.
        spatial_rounds: updates of the places; 0 leaves the parts everywhere.
    """
    if len(channels) != N_PLACED or spatial_rounds == 0:
        return np.asarray(channels * bands.spread(share), np.complex64)
    power = np.square(levels / np.float32(max(float(levels.mean()), float(LEAST_POWER))))
    gain = _placed_filter(channels, bands, share * power, (1 - share) * power, spatial_rounds)
    left, right = channels
    out = np.empty_like(channels)
    for row in range(N_PLACED):
        out[row] = gain[row, 0][bands.of_bin] * left + gain[row, 1][bands.of_bin] * right
    return out


def _placed_filter(
    channels: Complex, bands: Bands, piano: NDArray[np.float32], orchestra: NDArray[np.float32], rounds: int
) -> Complex:
    """The piano's filter (2, 2, bands, frames)."""
    left, right = channels
    cross = left * right.conj()
    mix = _hermitian(
        bands.sums(left.real**2 + left.imag**2),
        bands.sums(right.real**2 + right.imag**2),
        bands.sums(cross.real) + 1j * bands.sums(cross.imag),
    )
    mix = mix / np.float32(max(float(mix[0, 0].real.mean() + mix[1, 1].real.mean()), float(LEAST_POWER)))
    total = piano + orchestra + LEAST_POWER
    places = [_place(mix * (part / total), part) for part in (piano, orchestra)]
    gains = [np.empty_like(mix), np.empty_like(mix)]
    for number in range(rounds + 1):
        powers_now = [part * place[:, :, :, None] for part, place in zip((piano, orchestra), places, strict=True)]
        inverse = _inverse(powers_now[0] + powers_now[1])
        gains = [_product(p, inverse) for p in powers_now]
        if number == rounds:
            break
        places = []
        for part, p, gain in zip((piano, orchestra), powers_now, gains, strict=True):
            heard = _product(_product(gain, mix), _adjoint(gain))
            places.append(_place(heard + p - _product(gain, p), part))
    return gains[0]


def _place(covariance: Complex, part: NDArray[np.float32]) -> Complex:
    """A part's place (2, 2, bands), of trace 2, from its covariance (2, 2, bands, frames): mean weighted by power."""
    found = covariance.sum(axis=-1) / (part.sum(axis=-1) + LEAST_POWER)
    trace = found[0, 0].real + found[1, 1].real
    found = 2.0 * found / np.maximum(trace, LEAST_POWER)
    return np.asarray(
        (1 - SHARED_PLACE) * found + SHARED_PLACE * np.eye(N_PLACED, dtype=np.complex64)[:, :, None], np.complex64
    )


def _hermitian(a: NDArray[np.float32], d: NDArray[np.float32], b: Complex) -> Complex:
    return np.stack([np.stack([a.astype(np.complex64), b]), np.stack([b.conj(), d.astype(np.complex64)])]).astype(
        np.complex64
    )


def _adjoint(m: Complex) -> Complex:
    return m.swapaxes(0, 1).conj()


def _product(a: Complex, b: Complex) -> Complex:
    return np.asarray(np.einsum("ij...,jk...->ik...", a, b), np.complex64)


def _inverse(m: Complex) -> Complex:
    """Inverse of Hermitian 2 x 2 matrices, lifted a little off singularity."""
    lift = np.float32(1e-4) * (m[0, 0].real + m[1, 1].real) + LEAST_POWER
    a, d = m[0, 0] + lift, m[1, 1] + lift
    determinant = (a * d - m[0, 1] * m[1, 0]).real
    adjugate = np.stack([np.stack([d, -m[0, 1]]), np.stack([-m[1, 0], a])])
    return np.asarray(adjugate / np.maximum(determinant, np.float32(1e-20)), np.complex64)
