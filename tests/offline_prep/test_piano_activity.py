"""Where the mix has piano: what the orchestra does not explain, what sounds like a piano, and where it is cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.config import FeatureConfig
from follower.errors import ConfigError
from follower.piece.gmm import DiagonalGmm
from follower.piece.mix_map import MixMap
from follower.piece.piece import Mix, NotebookFeatures, Orchestra
from offline_prep.orchestra_model import MixMixtures
from offline_prep.piano_activity import SIGNS, PianoActivityConfig, piano_activity, signs

CONFIG = FeatureConfig()
N = 1500
PIANO = slice(500, 1000)
NOTHING = NotebookFeatures(np.zeros((12, 0), np.float32), np.zeros((20, 0), np.float32))


@dataclass
class Recordings:
    mix: Mix
    orchestra: Orchestra
    mix_map: MixMap
    mixtures: MixMixtures


def _attacks(seed: int, every: int, decay: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    pitch = np.full((N, 88), 1e-4)
    for begin in range(5, N, every):
        pitch[begin:, rng.integers(20, 60)] += rng.uniform(0.5, 1.0) * np.exp(-np.arange(N - begin) / decay)
    return pitch.astype(np.float32)


def _recordings(doubled: bool) -> Recordings:
    """The piano plays in the middle third; `doubled`: the orchestra has all of its notes too."""
    piano = _attacks(1, 7, 15.0)
    piano[: PIANO.start] = piano[PIANO.stop :] = 0.0
    orchestra = _attacks(0, 23, 60.0) + (0.3 * piano if doubled else 0.0)
    has_piano = (np.arange(N) >= PIANO.start) & (np.arange(N) < PIANO.stop)
    mfcc = np.random.default_rng(2).normal(0, 5, (N, 13)) + np.where(has_piano[:, None], 6.0, -6.0)
    level = np.ones(N, np.float32)
    one = np.ones((1, 12))
    t = np.array([0.0, N * CONFIG.hop_s])
    return Recordings(
        Mix((orchestra + piano).astype(np.float32), mfcc.astype(np.float32), level, NOTHING),
        Orchestra(orchestra.astype(np.float32), level, NOTHING),
        MixMap(t, t, [1.0, 1.0]),
        MixMixtures(DiagonalGmm([1.0], -6 * one, 25 * one), DiagonalGmm([1.0], 6 * one, 25 * one)),
    )


def _activity(r: Recordings) -> NDArray[np.float32]:
    return piano_activity(r.mix, r.orchestra, r.mix_map, r.mixtures, CONFIG)


@pytest.mark.parametrize("doubled", [False, True])
def test_the_piano_is_heard_even_where_the_orchestra_doubles_it(doubled: bool) -> None:
    activity = _activity(_recordings(doubled))
    assert activity.shape == (N,) and activity.dtype == np.float32
    within, outside = activity[PIANO.start + 50 : PIANO.stop - 50], np.delete(activity, np.r_[450:1050])
    assert within.min() > outside.max()
    assert within.min() > 0.5


def test_the_level_of_a_recording_says_nothing() -> None:
    r = _recordings(doubled=False)
    quiet = Orchestra(0.01 * r.orchestra.pitch, r.orchestra.rms, NOTHING)
    louder = signs(r.mix, r.orchestra, r.mix_map, r.mixtures, CONFIG)
    assert signs(r.mix, quiet, r.mix_map, r.mixtures, CONFIG) == pytest.approx(louder, abs=1e-3)
    assert louder.shape == (N, len(SIGNS))


def test_a_cut_of_the_orchestra_means_that_the_piano_plays() -> None:
    r = _recordings(doubled=False)
    h = CONFIG.hop_s
    r.mix_map = MixMap([0.0, 200 * h, 200 * h, 1300 * h], [0.0, 200 * h, 400 * h, 1500 * h], np.ones(4))
    assert _activity(r)[205:395].min() == 1.0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="weights"):
        PianoActivityConfig(weights=(1.0,))
    with pytest.raises(ConfigError, match="box_frames"):
        PianoActivityConfig(box_frames=0)
