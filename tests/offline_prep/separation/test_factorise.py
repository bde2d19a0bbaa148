"""The factorisation against plain loops, and on levels whose parts are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from offline_prep.separation.config import SeparationConfig
from offline_prep.separation.factorise import divide, learn, struck_only
from offline_prep.separation.piano_templates import N_NOTES, N_STAGES, piano_templates
from tests.naive.factorise import divergence, updated_loudness, updated_templates


def random_levels(n_bands: int = 7, n_frames: int = 9, seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).gamma(0.7, 1.0, (n_bands, n_frames)).astype(np.float32) + np.float32(0.01)


def test_learning_is_what_plain_loops_make_of_it() -> None:
    levels = random_levels()
    begun, loudness = (a.astype(np.float64) for a in learn(levels, 3, 0))
    for _ in range(3):
        nothing = np.zeros_like(loudness)
        # Templates sum to 1, so that the denominator of the product's update of the loudness is 1.
        loudness = updated_loudness(levels.astype(np.float64), begun, loudness, nothing, np.zeros(3))
        begun = updated_templates(levels.astype(np.float64), begun, loudness)
    templates, found = learn(levels, 3, 3)
    np.testing.assert_allclose(templates, begun, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(found, loudness, rtol=2e-3, atol=1e-5)


def test_learning_comes_closer_with_every_round() -> None:
    levels = random_levels()
    found = []
    for rounds in (1, 2, 5, 20):
        templates, loudness = (a.astype(np.float64) for a in learn(levels, 2, rounds))
        found.append(divergence(levels.astype(np.float64), templates, loudness))
    assert all(b < a for a, b in itertools.pairwise(found))


def test_what_the_guide_explains_is_the_orchestra() -> None:
    """Two notes of an orchestra known from the guide, one piano note struck now and then."""
    piano_spectra = piano_templates(0.0)
    n_bands, n_frames = len(piano_spectra), 120
    rng = np.random.default_rng(2)
    shapes = rng.gamma(0.2, 1.0, (n_bands, 2)).astype(np.float32)
    turns = (np.arange(n_frames) // 30 % 2).astype(np.float32)
    guide = shapes @ np.stack([turns, 1 - turns])
    note = 40 * N_STAGES
    ringing = np.zeros(n_frames, np.float32)
    for begin in (10, 55, 90):
        ringing[begin:] += np.float32(400.0) * 0.93 ** np.arange(n_frames - begin, dtype=np.float32)
    piano = piano_spectra[:, [note + 1]] @ ringing[None]
    parts = divide(3.0 * guide + piano, guide, piano_spectra, SeparationConfig(orchestra_templates=4))
    left = np.square(parts.piano - piano).sum() / np.square(piano).sum()
    unseparated = np.square(3.0 * guide).sum() / np.square(piano).sum()
    assert left < 0.1 * unseparated


def test_silence_stays_silent_and_a_silent_guide_is_none() -> None:
    templates = piano_templates(0.0)
    config = SeparationConfig(rounds=3, guide_rounds=3, orchestra_templates=3)
    silent = np.zeros((len(templates), 5), np.float32)
    parts = divide(silent, silent, templates, config)
    assert not parts.piano.any() and not parts.orchestra.any()
    levels = random_levels(len(templates), 5)
    alone, with_silence = divide(levels, None, templates, config), divide(levels, silent, templates, config)
    np.testing.assert_array_equal(alone.piano, with_silence.piano)


@pytest.mark.parametrize("scale", [1e-6, 1e3])
def test_loudness_does_not_matter(scale: float) -> None:
    templates = piano_templates(0.0)
    config = SeparationConfig(rounds=6, guide_rounds=3, orchestra_templates=3)
    levels, guide = random_levels(len(templates), 8), random_levels(len(templates), 8, 4)
    parts, scaled = (
        divide(levels, guide, templates, config),
        divide(levels * np.float32(scale), guide * np.float32(scale), templates, config),
    )
    np.testing.assert_allclose(scaled.piano, parts.piano * scale, rtol=0.02, atol=1e-4 * scale)


def test_a_note_that_is_not_struck_does_not_ring() -> None:
    loudness = np.full((N_STAGES, 30), 1.0, np.float32)
    loudness[0] = 0.0
    loudness[0, 10] = 0.25
    struck_only(loudness, 0.9)
    ringing = loudness[1:].sum(axis=0)
    frames = np.arange(30)
    first = np.where(frames < 7, 2.0 * 0.9**frames, 0.0)  # what rang when the levels began
    allowed = np.maximum(first, np.where(frames < 7, 0.0, 0.9 ** np.maximum(frames - 13, 0)))
    np.testing.assert_allclose(ringing, allowed, rtol=1e-4)


def test_templates_are_of_single_notes_at_their_pitch() -> None:
    low, high = piano_templates(0.0), piano_templates(0.5)
    assert low.shape[1] == N_NOTES * N_STAGES
    np.testing.assert_allclose(low.sum(axis=0), 1.0, rtol=1e-4)
    a4 = (69 - 21) * N_STAGES + 1
    at = low[:, a4].argmax()
    assert abs(at * 22050 / 2048 - 440.0) < 12.0  # the bands are bins down here
    assert abs(high[:, a4].argmax() * 22050 / 2048 - 440.0 * 2 ** (0.5 / 12)) < 12.0
