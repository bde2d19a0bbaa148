"""A place elsewhere wins only with evidence gathered over seconds; equal places do not alternate."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.place_search import PlaceSearch, PlaceSearchConfig, Rival
from follower.signal.observation import PARTS, Observation, PartWeights

HOP_S = 512 / 22050
N_SEMITONES = 88
SECONDS = 60
N = round(SECONDS / HOP_S)
CONFIG = PlaceSearchConfig(weights=PartWeights(0.4, 0.4, 0.0, 0.0))


def _music(seed: int = 1, seconds: float = SECONDS) -> NDArray[np.float32]:
    """Notes of a quarter of a second, as unit vectors over the semitones: (n, 88)."""
    notes = np.random.default_rng(seed).integers(0, N_SEMITONES, round(seconds / HOP_S) // 11 + 1)
    return np.eye(N_SEMITONES, dtype=np.float32)[np.repeat(notes, 11)[: round(seconds / HOP_S)]]


def _search(music: NDArray[np.float32]) -> PlaceSearch:
    features = np.concatenate([np.tile(music.T, (len(PARTS), 1)), np.zeros((2, len(music)), np.float32)])
    return PlaceSearch(np.ascontiguousarray(features), HOP_S, CONFIG)


def _observation(spectrum: NDArray[np.float32], presence: float = 1.0) -> Observation:
    return Observation(np.tile(spectrum, (len(PARTS), 1)), 1.0, presence, True, 0.0)


def _first_move(
    search: PlaceSearch, music: NDArray[np.float32], played_s: float, believed_s: float, seconds: float, rate: float = 1
) -> tuple[float, Rival] | None:
    """When, and where to, the search first wants to go while the belief moves on at the tempo of the mix."""
    for k in range(round(seconds / HOP_S)):
        spectrum = music[round(played_s / HOP_S + rate * k)]
        rival = search.update(_observation(spectrum), round(believed_s / HOP_S) + k)
        if rival is not None:
            return k * HOP_S, rival
    return None


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.5])
def test_the_true_place_is_not_left(rate: float) -> None:
    music = _music()
    search = _search(music)
    search.expect(10 / HOP_S, 20)
    for k in range(round(20 / HOP_S)):
        at = round(10 / HOP_S + rate * k)
        assert search.update(_observation(music[at]), at) is None
    assert search.rival.log_odds < -20


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_a_jump_is_found_within_seconds_at_its_place(rate: float) -> None:
    music = _music()
    search = _search(music)
    search.expect(10 / HOP_S, 20)
    assert _first_move(search, music, 10, 10, 15) is None
    found = _first_move(search, music, 40, 25, 10, rate)
    assert found is not None
    at_s, rival = found
    assert 1 < at_s < 6
    assert rival.frame * HOP_S == pytest.approx(40 + rate * at_s, abs=0.4)


def test_of_two_places_that_sound_the_same_the_believed_one_is_kept() -> None:
    half = _music(seconds=SECONDS / 2)
    music = np.concatenate([half, half])
    search = _search(music)
    search.expect(5 / HOP_S, 20)
    assert _first_move(search, music, 5, 5, 20) is None


def test_after_a_silence_less_evidence_is_asked_for() -> None:
    music = _music()
    times = []
    for silent in (False, True):
        search = _search(music)
        search.expect(10 / HOP_S, 20)
        _first_move(search, music, 10, 10, 10)
        if silent:
            search.resume(round(20 / HOP_S))
        found = _first_move(search, music, 40, 20, 10)
        assert found is not None
        times.append(found[0])
    assert times[1] < times[0]


def test_with_an_unknown_start_the_best_place_soon_leads() -> None:
    music = _music()
    search = _search(music)
    search.expect_anywhere()
    found = _first_move(search, music, 30, 5, 3)
    assert found is not None
    assert found[0] < 1
    assert found[1].frame * HOP_S == pytest.approx(30 + found[0], abs=0.4)


def test_a_mix_shorter_than_the_surroundings_has_no_rival() -> None:
    music = _music(seconds=1.0)
    search = _search(music)
    for k in range(20):
        assert search.update(_observation(music[k]), k) is None
    assert search.rival.log_odds == -np.inf


def test_beginning_anew_forgets_everything() -> None:
    music = _music()
    used, fresh = _search(music), _search(music)
    _first_move(used, music, 10, 40, 2)
    used.expect_anywhere()
    for k in range(40):
        spectrum = music[1000 + k]
        assert used.update(_observation(spectrum), 900 + k) == fresh.update(_observation(spectrum), 900 + k)
        assert used.rival == fresh.rival
