"""Which positions of a mix sound alike."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.likeness import PIECE, PIECES, SHIFT, Likeness
from follower.inference.pooling import POOL

K = 24
WEIGHTS = np.ones(K, np.float32)


def _music(seed: int, n_notes: int, length: float = 9.0) -> NDArray[np.float32]:
    """Notes of `length` frames, none like another: (K, n)."""
    notes = np.abs(np.random.default_rng(seed).normal(size=(K, n_notes))).astype(np.float32) ** 3
    at = (np.arange(round(n_notes * length)) / length).astype(int)
    return notes[:, at]


def _likeness(music: NDArray[np.float32]) -> Likeness:
    return Likeness(music, WEIGHTS)


@pytest.mark.parametrize("tempo", [0.94, 1.0, 1.06])
def test_the_same_music_a_little_faster_or_slower_is_alike_and_other_music_is_not(tempo: float) -> None:
    theme, other = _music(1, 30), _music(2, 30)
    again = _music(1, 30, 9.0 / tempo)
    likeness = _likeness(np.hstack([theme, other, again]))
    end = theme.shape[1] + other.shape[1]
    for frame in range(100, 260, 20):
        assert likeness.between(frame, end + round(frame / tempo)) > 0.85
        assert likeness.between(frame, theme.shape[1] + frame) < 0.75


def test_it_is_symmetric_enough_and_certain_of_itself() -> None:
    likeness = _likeness(_music(3, 60))
    assert likeness.between(300, 300) == pytest.approx(1.0, abs=1e-6)
    assert abs(likeness.between(300, 420) - likeness.between(420, 300)) < 0.1


@pytest.mark.parametrize("frame", [0, POOL * PIECE // 2, -50])
def test_before_the_mix_there_is_nothing_to_compare(frame: int) -> None:
    assert _likeness(_music(4, 60)).between(frame, 300) < 0.5


def test_beyond_the_end_and_in_silence_it_is_nothing_like() -> None:
    music = _music(5, 40)
    silence = np.zeros((K, 200), np.float32)
    likeness = _likeness(np.hstack([music, silence]))
    assert likeness.between(300, music.shape[1] + 150) == 0.0
    assert likeness.between(300, music.shape[1] + 200 + POOL * (PIECE * PIECES + SHIFT)) == 0.0
    assert likeness.between(music.shape[1] + 1000, 300) == 0.0


def test_weights_say_which_rows_count() -> None:
    music = np.hstack([_music(6, 30), _music(7, 30)])
    n = music.shape[1] // 2
    music[0, :] = 5.0  # one row the same everywhere
    only_that = np.zeros(K, np.float32)
    only_that[0] = 1.0
    assert Likeness(music, only_that).between(200, n + 200) == pytest.approx(1.0, abs=1e-6)
    assert Likeness(music, WEIGHTS - only_that).between(200, n + 200) < 0.75
