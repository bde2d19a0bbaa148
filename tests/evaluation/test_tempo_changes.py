"""Which beats end a large change of tempo."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from follower.evaluation.tempo_changes import at_large_changes


def test_a_steady_tempo_has_none_however_fast_it_is() -> None:
    beats = np.arange(20.0)
    for tempo in (0.5, 1.0, 1.9):
        assert not at_large_changes(beats, tempo * beats).any()


def test_a_gradual_ritardando_has_none_and_a_held_beat_has_two() -> None:
    steps = 1.08 ** np.arange(12)
    assert not at_large_changes(np.concatenate([[0.0], np.cumsum(steps)]), np.arange(13.0)).any()
    held = np.cumsum([0.0, 1.0, 1.0, 1.5, 1.0, 1.0])
    assert np.flatnonzero(at_large_changes(held, np.arange(6.0))).tolist() == [3, 4]


def test_pauses_jumps_and_cuts_are_no_tempo() -> None:
    pause = np.cumsum([0.0, 1.0, 1.0, 9.0, 1.0])
    assert not at_large_changes(pause, np.arange(5.0)).any()
    beats = np.arange(6.0)
    assert not at_large_changes(beats, np.array([0.0, 1.0, 2.0, -7.0, -6.0, -5.0])).any()
    assert not at_large_changes(beats, np.array([0.0, 1.0, 2.0, 2.0, 3.0, 4.0])).any()


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.floats(0.2, 5.0))
def test_it_is_the_ratio_that_counts(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    beats, target = np.cumsum(rng.uniform(0.1, 2.0, n)), np.cumsum(rng.uniform(0.1, 2.0, n))
    found = at_large_changes(beats, target)
    assert found.shape == (n,)
    np.testing.assert_array_equal(at_large_changes(beats, scale * target), found)
