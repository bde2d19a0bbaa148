"""Spectra: the signal comes back, the raster is the same at every rate, bands share out what there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offline_prep.separation.spectra import BIN_HZ, Bands, Raster, band_edges_hz

RATES = (8000, 16000, 22050, 32000, 44100, 48000, 96000)


@settings(max_examples=15, deadline=None)
@given(rate=st.sampled_from(RATES), n=st.integers(1, 9000), seed=st.integers(0, 9))
def test_unchanged_spectra_give_the_signal_back(rate: int, n: int, seed: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, n).astype(np.float32)
    raster = Raster.at(rate)
    back = raster.synthesise(raster.analyse(samples), n)
    np.testing.assert_allclose(back, samples, atol=2e-6)


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_has_nearly_the_same_raster(rate: int) -> None:
    raster = Raster.at(rate)
    assert raster.bin_hz == pytest.approx(BIN_HZ, rel=0.005)
    assert raster.hop_samples / rate == pytest.approx(512 / 22050, rel=0.005)


def test_a_frame_is_the_spectrum_round_its_centre() -> None:
    raster = Raster.at(8000)
    samples = np.zeros(4000, np.float32)
    samples[2000] = 1.0
    w, half = raster.window_samples, raster.window_samples // 2
    found = np.abs(raster.spectra_at(samples, np.array([2000.0, 2000.0 - half / 2, 2000.0 - w, -9e9, 9e9])))
    np.testing.assert_allclose(found[:, 0], 1.0, atol=1e-5)  # the window's middle
    np.testing.assert_allclose(found[:, 1], 0.5, atol=1e-2)  # half way down the window
    assert found[:, 2:].max() == 0.0  # outside the window, and outside the recording


def test_bands_are_narrow_below_and_cover_everything_once() -> None:
    edges = band_edges_hz()
    widths = np.diff(edges)
    assert np.all(np.diff(widths) > -1e-6) and widths[0] == pytest.approx(BIN_HZ)
    assert edges[-1] >= 11025.0 and len(edges) < 600
    raster = Raster.at(22050)
    power = np.random.default_rng(1).random((raster.n_bins, 3))
    np.testing.assert_allclose(Bands.of(raster).sums(power).sum(axis=0), power.sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize("cents", [-40, 0, 25])
def test_a_raised_recording_has_the_bands_of_the_higher_tone(cents: int) -> None:
    rate, ratio = 22050, 2.0 ** (cents / 1200)
    raster = Raster.at(rate)
    t = np.arange(rate) / rate
    tones = [np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in (1760.0, 1760.0 * ratio)]
    low = Bands.of(raster, ratio).levels(raster.analyse(tones[0]))[:, 20]
    high = Bands.of(raster).levels(raster.analyse(tones[1]))[:, 20]
    assert abs(int(low.argmax()) - int(high.argmax())) <= 1
    # The same up to what two places within a bin make of a window's lobe.
    assert float(low @ high / np.linalg.norm(low) / np.linalg.norm(high)) > 0.95


def test_spread_gives_each_bin_its_bands_value() -> None:
    raster = Raster.at(44100)
    bands = Bands.of(raster)
    n = len(bands.edges) - 1
    spread = bands.spread(np.arange(n, dtype=np.float32)[:, None])[:, 0]
    assert spread[0] == 0 and spread[100] == 100 and spread[-1] == n - 1
    assert np.all(np.diff(spread) >= 0)
