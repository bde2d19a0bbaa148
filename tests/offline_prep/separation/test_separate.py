"""A mix taken apart in blocks: nothing is lost or doubled, memory is bounded, and known parts are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from follower.piece.mix_map import MixMap
from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.separate import Guide, _Cut, _windows, fit_gain, separate

RATE = 11025
QUICK = SeparationConfig(
    block_s=3.0, context_s=0.5, crossfade_s=0.2, orchestra_templates=6, rounds=8, guide_rounds=8, spatial_rounds=1
)


def tone(hz: float, seconds: float) -> NDArray[np.float32]:
    """Six overtones, as far as they fit."""
    t = np.arange(round(seconds * RATE)) / RATE
    overtones = [np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 7) if hz * k < RATE / 2]
    return np.asarray(np.sum(overtones, axis=0), np.float32)


def orchestra(seconds: float) -> NDArray[np.float32]:
    """Sustained chords, a new one every second."""
    chords = [(220.0, 330.0), (247.5, 371.0), (196.0, 294.0)]
    parts = [tone(chords[k % 3][0], 1.0) + tone(chords[k % 3][1], 1.0) for k in range(int(np.ceil(seconds)))]
    return 0.1 * np.concatenate(parts)[: round(seconds * RATE)].astype(np.float32)


def piano(seconds: float) -> NDArray[np.float32]:
    """Notes that are struck and die away."""
    out = np.zeros(round(seconds * RATE), np.float32)
    for k, begin in enumerate(np.arange(0.2, seconds - 0.7, 0.35)):
        note = tone(523.25 * 2 ** ((0, 4, 7, 12)[k % 4] / 12), 0.7)
        note *= np.exp(-4.0 * np.arange(len(note)) / RATE).astype(np.float32)
        out[round(begin * RATE) :][: len(note)] += 0.2 * note
    return out


def written(folder: Path, *channels: NDArray[np.float32]) -> Path:
    path = folder / "mix.wav"
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
    return path


def guide_of(samples: NDArray[np.float32]) -> Guide:
    seconds = len(samples) / RATE
    return Guide(samples, RATE, MixMap([0.0, seconds], [0.0, seconds], [1.0, 1.0]), 1.0)


def sdr_db(true: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.square(true).sum() / np.square(true - found).sum()))


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 400),
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=8),
)
def test_windows_overlap_by_their_contexts_and_lose_nothing(n: int, sizes: list[int]) -> None:
    samples = np.arange(n, dtype=np.float32)[:, None]
    cut = _Cut(block=40, context=10, fade=4)
    at = 0
    blocks: list[NDArray[np.float32]] = []
    while at < n:
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(samples[at : at + size])
        at += size
    found = list(_windows(iter(blocks), cut))
    assert [w[2] for w in found] == [False] * (len(found) - 1) + [True]
    for k, (begin, window, _) in enumerate(found):
        assert begin == 40 * k
        np.testing.assert_array_equal(window, samples[begin : begin + 60])


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_the_parts_sum_to_the_mix_across_blocks(tmp_path: Path, n_channels: int) -> None:
    mono = orchestra(8.0) + piano(8.0)
    mix = [mono * np.float32(1.0 - 0.3 * k) for k in range(n_channels)]
    stretches = list(separate(written(tmp_path, *mix), 0.0, guide_of(orchestra(8.0)), QUICK))
    assert len(stretches) == 3
    parts = [np.concatenate([getattr(s, name) for s in stretches]) for name in ("piano", "orchestra")]
    np.testing.assert_allclose(parts[0] + parts[1], np.stack(mix, axis=1), atol=1e-6)


def test_blocks_join_without_a_step(tmp_path: Path) -> None:
    path = written(tmp_path, orchestra(8.0) + piano(8.0))
    whole = np.concatenate([s.piano for s in separate(path, 0.0, None, QUICK)])
    step = np.abs(np.diff(whole[:, 0]))
    edges = [round(s * RATE) for s in (3.0 + 0.5, 6.0 + 0.5)]
    for edge in edges:
        near = step[edge - RATE // 5 : edge + RATE // 5]
        assert near.max() < 1.5 * np.delete(step, np.r_[edge - RATE // 5 : edge + RATE // 5]).max()


def test_a_guide_finds_the_piano_and_the_orchestra(tmp_path: Path) -> None:
    true, other = piano(6.0), orchestra(6.0)
    stretches = list(separate(written(tmp_path, true + other), 0.0, guide_of(0.3 * other), QUICK))
    found = np.concatenate([s.piano for s in stretches])[:, 0]
    assert sdr_db(true, found) > sdr_db(true, true + other) + 5.0


def test_where_the_orchestra_recording_has_nothing_the_guide_is_silent() -> None:
    guide = Guide(orchestra(6.0), RATE, MixMap([0.0, 2.0, 2.0, 6.0], [1.0, 3.0, 5.0, 9.0], [1.0, 1.0, 1.0, 1.0]), 1.0)
    levels = guide.levels(np.array([0.5, 2.0, 4.0, 6.0, 9.5]))
    assert levels[:, [1, 3]].min(axis=0).max() >= 0.0 and levels[:, [1, 3]].sum(axis=0).min() > 0.0
    assert not levels[:, [0, 2, 4]].any()


def test_the_gain_is_that_of_the_orchestra_alone() -> None:
    """In half of the frames the piano makes the mix louder; each band has a gain of its own."""
    rng = np.random.default_rng(6)
    guide = rng.gamma(2.0, 1.0, (60, 400)).astype(np.float32)
    gain = np.linspace(0.5, 2.0, 60, dtype=np.float32)[:, None]
    mix = gain * guide
    mix[:, ::2] += 20.0
    found = fit_gain(mix, guide, SeparationConfig(gain_quantile=0.25, gain_bands=1.0))
    np.testing.assert_allclose(found, gain, rtol=0.05)


def test_without_enough_of_the_orchestra_there_is_no_gain_to_fit() -> None:
    mix = np.ones((5, 40), np.float32)
    few = np.zeros((5, 40), np.float32)
    few[:, :3] = 1.0
    for guide in (np.zeros_like(mix), few[:, :6]):
        np.testing.assert_array_equal(fit_gain(mix[:, : guide.shape[1]], guide, SeparationConfig()), 1.0)


def test_a_recording_shorter_than_a_window_and_silence_are_taken_apart_too(tmp_path: Path) -> None:
    for samples in (np.full(5, 0.5, np.float32), np.zeros(RATE, np.float32)):
        (stretch,) = separate(written(tmp_path, samples), 0.0, None, QUICK)
        assert stretch.piano.shape == (len(samples), 1) and bool(np.isfinite(stretch.piano).all())
        np.testing.assert_allclose(stretch.piano[:, 0] + stretch.orchestra[:, 0], samples, atol=1e-6)


def test_progress_is_told_block_by_block(tmp_path: Path) -> None:
    told: list[float] = []
    path = written(tmp_path, orchestra(8.0))
    list(separate(path, 0.0, None, QUICK, lambda _detail, share: told.append(share)))
    assert told == sorted(told) and len(told) == 3 and told[-1] == 1.0
