"""What the tempo filter expects where nothing is played, and where a position was given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.inference.base import Belief, Frame
from follower.inference.tempo_filter import TempoFilter, create
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.testing import assemble_piece

HOP_S = 512 / 22050
PHRASE = 900
"""Frames of a phrase: 21 s."""
SLOPE = 0.8
"""Orchestra seconds per mix second: the orchestra recording is faster than the mix."""
COPIES = 3


def _phrase() -> NDArray[np.float32]:
    """Chords of three notes, a new one every nine frames, each fading."""
    rng = np.random.default_rng(5)
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
