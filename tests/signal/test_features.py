from __future__ import annotations

import itertools

import hypothesis.strategies as st
import librosa
import librosa.filters as librosa_filters
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import ConfigError
from follower.kernels import features as kernels
from follower.signal.features import FeatureFrames, FeatureStream, _hann, concatenate
from follower.signal.filterbanks import mel_filters, semitone_filters
from follower.signal.framing import Framer
from tests.naive import features as naive

pytestmark = pytest.mark.plain

CONFIG = FeatureConfig()
SMALL = FeatureConfig(
    sample_rate_hz=8000,
    hop_samples=64,
    low_fft_samples=512,
    mid_fft_samples=256,
    high_fft_samples=128,
    lowest_midi=45,
    mid_from_midi=60,
    high_from_midi=72,
    n_semitones=48,
    n_mels=16,
)


def _noise(n: int, seed: int = 0) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def _whole(config: FeatureConfig, rate: int, x: NDArray[np.float32], cuts: list[int]) -> FeatureFrames:
    stream = FeatureStream(config, rate)
    bounds = [0, *sorted(cuts), len(x)]
    parts = [stream.extract(x[a:b]) for a, b in itertools.pairwise(bounds)]
    return concatenate([*parts, stream.finish()], config)


def _assert_same(a: FeatureFrames, b: FeatureFrames) -> None:
    for name in ("pitch", "mfcc", "rms"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([8000, 11025, 16000]), st.lists(st.integers(0, 4000), max_size=30))
def test_random_chunks_give_the_same_bits(rate: int, cuts: list[int]) -> None:
    x = _noise(4000)
    _assert_same(_whole(SMALL, rate, x, cuts), _whole(SMALL, rate, x, []))


@pytest.mark.parametrize("rate", [22050, 44100, 8000])
def test_sample_by_sample_gives_the_same_bits(rate: int) -> None:
    x = _noise(6000)
    _assert_same(_whole(CONFIG, rate, x, list(range(len(x)))), _whole(CONFIG, rate, x, []))


def test_reset_equals_fresh() -> None:
    stream = FeatureStream(SMALL, 11025)
    stream.extract(_noise(1234, seed=1))
    stream.reset()
    x = _noise(3000)
    _assert_same(concatenate([stream.extract(x), stream.finish()], SMALL), _whole(SMALL, 11025, x, []))


def test_finish_leaves_a_fresh_stream() -> None:
    stream = FeatureStream(SMALL, 11025)
    x = _noise(3000)
    first = concatenate([stream.extract(x), stream.finish()], SMALL)
    _assert_same(concatenate([stream.extract(x), stream.finish()], SMALL), first)


def test_frames_match_the_definition() -> None:
    x = _noise(CONFIG.hop_samples * 20 + 100)
    got = _whole(CONFIG, 22050, x, [])
    assert len(got) == 20
    for k in (0, 3, 19):
        want = naive.semitone_amplitudes(x.astype(np.float64), k, CONFIG)
        np.testing.assert_allclose(got.pitch[k], want, rtol=2e-4, atol=1e-7)
    newest = x[20 * 512 - 2048 : 20 * 512].astype(np.float64)
    assert got.rms[19] == pytest.approx(np.sqrt(np.mean(newest**2)), rel=1e-6)


def test_mfcc_agrees_with_librosa() -> None:
    x = _noise(2048 * 3)
    got = _whole(CONFIG, 22050, x, []).mfcc
    power = np.stack(
        [
            np.abs(np.fft.rfft(x[e - 2048 : e] * librosa_filters.get_window("hann", 2048))) ** 2
            for e in range(2048, len(x) + 1, 512)
        ],
        axis=1,
    )
    mel = librosa_filters.mel(sr=22050, n_fft=2048, n_mels=CONFIG.n_mels) @ power
    want = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13)
    np.testing.assert_allclose(got[3:], want.T, atol=2e-3)


def test_mel_filters_are_librosas() -> None:
    first, weights = mel_filters(CONFIG)
    dense = np.zeros((CONFIG.n_mels, 1025 + weights.shape[1]))
    for b, k in enumerate(first):
        dense[b, k : k + weights.shape[1]] = weights[b]
    np.testing.assert_allclose(
        dense[:, :1025], librosa_filters.mel(sr=22050, n_fft=2048, n_mels=CONFIG.n_mels), atol=1e-7
    )


def test_a_tone_lands_in_its_semitone_with_its_amplitude() -> None:
    t = np.arange(22050) / 22050
    for midi in (45, 60, 84):
        tone = (0.25 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t)).astype(np.float32)
        last = _whole(CONFIG, 22050, tone, []).pitch[-1]
        assert int(np.argmax(last)) == midi - 21
        assert 0.15 < last[midi - 21] < 0.4


def test_every_semitone_filter_has_weight() -> None:
    for n, lo, hi in ((8192, 21, 51), (4096, 52, 71), (2048, 72, 108)):
        _, weights = semitone_filters(CONFIG, n, lo, hi)
        assert np.all(weights.sum(axis=1) > 0.5)


def test_frames_are_causal() -> None:
    x = _noise(8000)
    y = x.copy()
    y[4096:] = 0
    a, b = _whole(CONFIG, 22050, x, []), _whole(CONFIG, 22050, y, [])
    np.testing.assert_array_equal(a.pitch[:8], b.pitch[:8])
    assert not np.array_equal(a.pitch[8], b.pitch[8])


@pytest.mark.parametrize(
    "x", [np.array([0.5, -3.0, np.nan, np.inf, -np.inf, 2.0], np.float32), np.zeros(0, np.float32)]
)
def test_samples_are_cleaned_as_numpy_would(x: NDArray[np.float32]) -> None:
    want = np.clip(np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0), -2, 2)
    np.testing.assert_array_equal(kernels.clean(x, np.float32(2.0)), want)


def test_broken_samples_count_as_silence() -> None:
    x = np.zeros(4096, np.float32)
    x[[5, 100, 2000]] = [np.nan, np.inf, -np.inf]
    _assert_same(_whole(CONFIG, 22050, x, []), _whole(CONFIG, 22050, np.zeros(4096, np.float32), []))
    huge = np.full(4096, 3e38, np.float32)
    assert np.all(np.isfinite(_whole(CONFIG, 22050, huge, []).pitch))


def test_the_callers_array_is_neither_changed_nor_kept() -> None:
    x = np.full(300, np.nan, np.float32)
    stream = FeatureStream(CONFIG, 22050)
    stream.extract(x)
    assert np.all(np.isnan(x))
    framer = Framer(4, 2)
    part = np.ones(1, np.float32)
    framer.process(part)
    part[:] = 9
    assert framer.process(np.ones(1, np.float32)).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("rate", [0, -1, 10**7])
def test_unusable_rate_is_refused(rate: int) -> None:
    with pytest.raises(ConfigError, match="input_rate_hz"):
        FeatureStream(CONFIG, rate)


def test_kernels_match_their_oracles() -> None:
    rng = np.random.default_rng(3)
    spectrum = (rng.standard_normal(65) + 1j * rng.standard_normal(65)).astype(np.complex64)
    first, weights = semitone_filters(SMALL, 128, 72, 92)
    out = np.empty(len(first))
    kernels.banded_power(spectrum, first, weights, out)
    np.testing.assert_allclose(out, naive.banded_power(spectrum, first, weights), rtol=1e-9)
    basis = rng.standard_normal((5, 12))
    mel = rng.random(12)
    mel[3] = 0
    got = np.empty(5, np.float32)
    kernels.cepstrum(mel, basis, 1e-10, got)
    np.testing.assert_allclose(got, naive.cepstrum(mel, basis, 1e-10), rtol=1e-5)
    x = _noise(50)
    assert kernels.root_mean_square(x) == pytest.approx(np.sqrt(np.mean(x.astype(float) ** 2)))


@pytest.mark.parametrize("n", [2, 400, 2047, 2048, 4096, 8192])
def test_the_window_is_scipy_s(n: int) -> None:
    from scipy.signal.windows import hann

    np.testing.assert_array_equal(_hann(n), hann(n, sym=False).astype(np.float32))


def test_the_cepstrum_is_scipy_s_up_to_rounding() -> None:
    config = FeatureConfig()
    expected = scipy.fft.dct(np.eye(config.n_mels), type=2, norm="ortho", axis=0)[: config.n_mfcc]
    np.testing.assert_allclose(FeatureStream(config, 22050)._dct, expected, rtol=0, atol=1e-14)
