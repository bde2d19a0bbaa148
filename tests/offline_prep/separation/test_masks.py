"""Filters: one channel takes its share, two use where the parts are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offline_prep.separation.factorise import Parts
from offline_prep.separation.masks import piano_share, piano_spectra
from offline_prep.separation.spectra import Bands, Raster

RASTER = Raster.at(8000)
BANDS = Bands.of(RASTER)


def noise(seed: int, n: int = 8000) -> NDArray[np.complex64]:
    return RASTER.analyse(np.random.default_rng(seed).standard_normal(n).astype(np.float32))


def test_the_share_is_of_the_levels_power_and_nothing_of_silence() -> None:
    parts = Parts(np.array([[3.0, 0.0, 0.0]], np.float32), np.array([[1.0, 2.0, 0.0]], np.float32))
    np.testing.assert_allclose(piano_share(parts, 1.0), [[0.75, 0.0, 0.0]], atol=1e-5)
    np.testing.assert_allclose(piano_share(parts, 2.0), [[0.9, 0.0, 0.0]], atol=1e-5)


def test_one_channel_takes_its_share_of_every_bin() -> None:
    mix = noise(1)[None]
    share = np.random.default_rng(2).random((len(BANDS.edges) - 1, mix.shape[2]), np.float32)
    found = piano_spectra(mix, BANDS, share, BANDS.levels(mix[0]), 3)
    np.testing.assert_allclose(found[0], mix[0] * share[BANDS.of_bin], rtol=1e-5, atol=1e-5)


def test_two_channels_tell_apart_what_the_share_alone_does_not() -> None:
    """The piano is more to the left, the orchestra to the right; the share knows each only roughly."""
    piano, orchestra = noise(3), noise(4)
    true = np.stack([piano, 0.3 * piano])
    mix = (true + np.stack([0.2 * orchestra, orchestra])).astype(np.complex64)
    levels = np.sqrt(sum(BANDS.levels(c) ** 2 for c in mix) / np.float32(2.0)).astype(np.float32)
    right = BANDS.levels(piano) ** 2 / (BANDS.levels(piano) ** 2 + BANDS.levels(orchestra) ** 2 + 1e-9)
    share = (0.5 + 0.7 * (right - 0.5)).astype(np.float32)
    left_over = [
        float(np.square(np.abs(piano_spectra(mix, BANDS, share, levels, rounds) - true)).sum()) for rounds in (0, 1)
    ]
    assert left_over[1] < 0.8 * left_over[0]


def test_a_silent_channel_and_a_mono_mix_in_two_channels_are_no_trouble() -> None:
    mono = noise(5)
    share = np.full((len(BANDS.edges) - 1, mono.shape[1]), 0.25, np.float32)
    for other in (mono, np.zeros_like(mono)):
        mix = np.stack([mono, other])
        found = piano_spectra(mix, BANDS, share, BANDS.levels(mono), 1)
        assert bool(np.isfinite(found).all())
        np.testing.assert_allclose(found, 0.25 * mix, atol=0.02 * float(np.abs(mono).max()))
    nothing = np.zeros((2, *mono.shape), np.complex64)
    assert not piano_spectra(nothing, BANDS, share, np.zeros_like(share), 3).any()
