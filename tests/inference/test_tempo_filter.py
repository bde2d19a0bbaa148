"""What the tempo filter expects where nothing is played, and where a position was given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.base import Belief, Frame
from follower.inference.pooling import pool_mean
from follower.inference.tempo_filter import TempoFilter, TempoFilterConfig, create, reference_of
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.observation import PartWeights, observe_reference
from follower.testing import assemble_piece

HOP_S = 512 / 22050
PHRASE = 900
"""Frames of a phrase: 21 s."""
SLOPE = 0.8
"""Orchestra seconds per mix second: the orchestra recording is faster than the mix."""
COPIES = 3


def _phrase(seed: int = 5) -> NDArray[np.float32]:
    """Chords of three notes, a new one every nine frames, each fading."""
    rng = np.random.default_rng(seed)
    pitch = np.full((PHRASE, 88), 1e-5)
    for begin in range(0, PHRASE, 9):
        length = min(16, PHRASE - begin)
        fading = 0.1 * np.exp(-np.arange(length) / 8)
        for note in rng.choice(np.arange(20, 70), 3, replace=False):
            pitch[begin : begin + length, note] += fading
    return pitch.astype(np.float32)


@pytest.fixture(scope="module")
def piece() -> Piece:
    """The same phrase over and over."""
    pitch = np.concatenate([_phrase()] * COPIES)
    n = len(pitch)
    mix_s = np.array([0.0, n * HOP_S])
    stream = StreamFeatures(pitch, np.zeros((n, 13), np.float32), np.full(n, 0.1, np.float32))
    return assemble_piece(MixMap(SLOPE * mix_s, mix_s, np.ones(2)), mix=stream, orchestra=stream)


@pytest.fixture
def tempo_filter(piece: Piece) -> TempoFilter:
    return create(piece)


def _play(tempo_filter: TempoFilter, tempo: float, hops: int) -> list[Belief]:
    """The phrase from its beginning, after half a second of silence."""
    phrase = _phrase()
    silence = np.full(88, 1e-6, np.float32)
    played = [phrase[min(int(tempo * k), PHRASE - 1)] for k in range(hops)]
    return _hear(tempo_filter, [silence] * 40 + played)


def _hear(tempo_filter: TempoFilter, pitches: list[NDArray[np.float32]]) -> list[Belief]:
    beliefs: list[Belief] = []
    for pitch in pitches:
        estimate_s = beliefs[-1].mix_s if beliefs else None
        frame = Frame(pitch, np.zeros(13, np.float32), float(np.linalg.norm(pitch)))
        beliefs.append(tempo_filter.update(frame, estimate_s))
    return beliefs


@pytest.mark.parametrize("tempo", [0.7, 1.0])
def test_a_rest_begins_at_the_pianists_tempo_and_goes_over_to_the_orchestras(
    tempo_filter: TempoFilter, tempo: float
) -> None:
    _play(tempo_filter, tempo, 600)
    rest = _hear(tempo_filter, [np.full(88, 1e-6, np.float32)] * round(15 / HOP_S))
    assert rest[round(1 / HOP_S)].rest_rate == pytest.approx(tempo, rel=0.15)
    assert rest[-1].rest_rate == pytest.approx(1 / SLOPE, rel=0.02)


@pytest.mark.parametrize("copy", range(1, COPIES))
def test_of_equal_phrases_the_one_that_was_given_is_followed(tempo_filter: TempoFilter, copy: int) -> None:
    begin_s = copy * PHRASE * HOP_S
    tempo_filter.seek(begin_s)
    beliefs = [b for b in _play(tempo_filter, 1.0, 600) if b.mix_s is not None]
    assert len(beliefs) > 500
    assert all(abs((b.mix_s or 0.0) - begin_s) < 600 * HOP_S + 1.0 for b in beliefs)
    assert beliefs[-1].mix_s == pytest.approx(begin_s + 600 * HOP_S, abs=0.3)


def test_a_piano_stem_is_followed_where_the_mix_hides_the_piano(piece: Piece) -> None:
    """With the network alone: the mix has something else altogether."""
    orchestra = np.concatenate([_phrase(seed)[::-1] for seed in range(20, 20 + COPIES)])
    hidden = replace(piece, mix=replace(piece.mix, pitch=orchestra), mix_piano=piece.mix.pitch)
    found = []
    for share in (1.0, 0.5, 0.0):
        config = TempoFilterConfig(weights=PartWeights(0.0, 0.0, 0.0, 0.0), embedding=3.0, stem=share)
        tempo_filter = TempoFilter(reference_of(hidden, config), config)
        tempo_filter.seek(0.0)
        found.append(_play(tempo_filter, 0.7, 700)[-1].mix_s or 0.0)
    assert found[:2] == pytest.approx([0.7 * 700 * HOP_S] * 2, abs=0.3)
    assert abs(found[2] - 0.7 * 700 * HOP_S) > 1.0


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_stem_that_is_the_mix_changes_nothing(piece: Piece, share: float) -> None:
    config = TempoFilterConfig(stem=share)
    with_stem = reference_of(replace(piece, mix_piano=piece.mix.pitch), config)
    np.testing.assert_array_equal(with_stem.features, reference_of(piece, config).features)


def test_what_the_network_hears_is_enough_to_follow(piece: Piece) -> None:
    """With the network alone the position is the piano's, and without both it is not."""
    silent = TempoFilterConfig(weights=PartWeights(0.0, 0.0, 0.0, 0.0), embedding=3.0)
    found = []
    for config in (silent, replace(silent, embedding=0.0)):
        tempo_filter = TempoFilter(reference_of(piece, config), config)
        tempo_filter.seek(0.0)
        found.append(_play(tempo_filter, 0.7, 700)[-1].mix_s or 0.0)
    assert found[0] == pytest.approx(0.7 * 700 * HOP_S, abs=0.3)
    assert abs(found[1] - 0.7 * 700 * HOP_S) > 1.0


def _piece_of(pitch: NDArray[np.float32], piano_activity: float) -> Piece:
    n = len(pitch)
    mix_s = np.array([0.0, n * HOP_S])
    stream = StreamFeatures(pitch, np.zeros((n, 13), np.float32), np.full(n, 0.1, np.float32))
    activity = np.full(n, piano_activity, np.float32)
    return assemble_piece(MixMap(mix_s, mix_s, np.ones(2)), mix=stream, orchestra=stream, piano_activity=activity)


def _follow(tempo_filter: TempoFilter, pitches: NDArray[np.float32]) -> list[float]:
    """Positions (mix s) of an estimate that goes where the belief goes."""
    estimates: list[float] = []
    for pitch in pitches:
        belief = tempo_filter.update(Frame(pitch, np.zeros(13, np.float32), 0.1), estimates[-1] if estimates else None)
        estimates.append(belief.mix_s if belief.mix_s is not None else 0.0)
    return estimates


SILENCE = np.full((round(6 / HOP_S), 88), 1e-6, np.float32)


def test_a_jump_to_other_music_is_followed_and_one_to_the_same_music_is_not_taken() -> None:
    theme, other, last = _phrase(5), _phrase(6), _phrase(7)
    tempo_filter = create(_piece_of(np.concatenate([theme, other, theme, last]), 1.0))
    tempo_filter.seek(HOP_S)
    estimates = _follow(tempo_filter, np.concatenate([SILENCE[:40], theme[:600], last[:300]]))
    theme_s = HOP_S * np.arange(1, 601)
    np.testing.assert_allclose(estimates[140:640], theme_s[100:], atol=0.2)  # never in the other place of the theme
    jumped_s = HOP_S * (3 * PHRASE + np.arange(1, 301))
    np.testing.assert_allclose(estimates[640 + 172 :], jumped_s[172:], atol=0.2)  # four seconds after the jump at last


@pytest.mark.parametrize(("goes_on_after_s", "activity"), [(0.0, 0.1), (0.0, 0.9), (6.0, 0.1)])
def test_after_a_silence_it_is_found_where_the_pianist_stopped_or_where_the_orchestra_is(
    goes_on_after_s: float, activity: float
) -> None:
    pitch = np.concatenate([_phrase(5), _phrase(6)])
    tempo_filter = create(_piece_of(pitch, activity))
    tempo_filter.seek(HOP_S)
    again = 400 + round(goes_on_after_s / HOP_S)
    estimates = _follow(tempo_filter, np.concatenate([SILENCE[:40], pitch[:400], SILENCE, pitch[again : again + 200]]))
    truth_s = HOP_S * (again + np.arange(1, 201))
    np.testing.assert_allclose(estimates[-160:], truth_s[40:], atol=0.3)  # a second after the first note at last


def test_eight_bits_hold_the_mix_to_half_a_step(piece: Piece) -> None:
    config = TempoFilterConfig()
    reference = reference_of(piece, config)
    plain = observe_reference(piece.mix.pitch, HOP_S, config.observation).features
    held = reference.features[: len(plain)] * reference.steps[: len(plain), None]
    assert np.all(np.abs(held - plain) <= 0.501 * reference.steps[: len(plain), None])
    pooled = reference.pooled[: len(plain)] * reference.steps[: len(plain), None]
    assert np.all(np.abs(pooled - pool_mean(plain)) <= 0.501 * reference.steps[: len(plain), None])
