from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import InputError
from follower.piece.mix_map import MixMap
from offline_prep.orchestra_model import fit_mix_mixtures, unexplained_activity

CONFIG = FeatureConfig()


def _notes(n: int, seed: int, semitones: tuple[int, int], every: int = 9) -> NDArray[np.float32]:
    """Notes that begin every few frames at random semitones and decay."""
    rng = np.random.default_rng(seed)
    pitch = np.zeros((n, 88))
    for begin in range(5, n - 1, every):
        tail = np.exp(-np.arange(n - begin) / 15.0)
        pitch[begin:, rng.integers(*semitones)] += rng.uniform(0.5, 1.0) * tail
    return (pitch + 1e-4).astype(np.float32)


def test_piano_is_where_the_orchestra_recording_does_not_explain_the_mix() -> None:
    n = 1200
    orchestra = _notes(n, 0, (20, 60))
    piano = _notes(n, 1, (20, 60), every=7)
    piano[:400] = 0.0
    piano[800:] = 0.0
    late = 3
    mix = np.roll(orchestra, late, axis=0) + piano
    t = np.array([0.0, n * CONFIG.hop_s])
    activity = unexplained_activity(mix, 0.1 * orchestra, MixMap(t, t, [1.0, 1.0]), CONFIG)
    assert activity.shape == (n,) and activity.dtype == np.float32
    assert activity[440:760].min() > 0.6
    assert np.concatenate([activity[30:360], activity[840:]]).max() < 0.3


def test_a_cut_of_the_orchestra_means_that_the_piano_plays() -> None:
    n = 600
    mix = _notes(n, 0, (20, 60))
    h = CONFIG.hop_s
    mix_map = MixMap([0.0, 200 * h, 200 * h, 400 * h], [0.0, 200 * h, 400 * h, 600 * h], np.ones(4))
    activity = unexplained_activity(mix, np.concatenate([mix[:200], mix[400:]]), mix_map, CONFIG)
    assert activity[205:395].min() == 1.0
    assert max(activity[10:150].max(), activity[450:].max()) < 0.3


def test_a_silent_mix_has_no_piano_and_no_warning() -> None:
    silent = np.zeros((100, 88), np.float32)
    t = np.array([0.0, 3.0])
    assert unexplained_activity(silent, silent, MixMap(t, t, [1.0, 1.0]), CONFIG).max() < 0.1


def test_the_mixtures_separate_the_classes() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    has_piano = np.arange(n) % 200 < 100
    mfcc = rng.normal(0, 10, (n, 13)) + np.where(has_piano[:, None], 8.0, -8.0)
    activity = np.clip(np.where(has_piano, 0.7, 0.3) + rng.normal(0, 0.1, n), 0, 1)
    level = np.ones(n, np.float32)
    level[:50] = 1e-4
    mfcc[:50] = 1e5
    mixtures = fit_mix_mixtures(mfcc.astype(np.float32), level, activity.astype(np.float32))
    score = mixtures.piano.score_samples(mfcc[:, 1:]) - mixtures.orchestra.score_samples(mfcc[:, 1:])
    assert np.mean((score > 0)[50:] == has_piano[50:]) > 0.95
    # The silent frames at the start have no part in either.
    assert max(np.abs(mixtures.piano.means).max(), np.abs(mixtures.orchestra.means).max()) < 100


def test_a_mix_too_short_for_a_mixture_is_refused() -> None:
    with pytest.raises(InputError, match="only 20 frames"):
        fit_mix_mixtures(np.ones((20, 13), np.float32), np.ones(20, np.float32), np.ones(20, np.float32))
