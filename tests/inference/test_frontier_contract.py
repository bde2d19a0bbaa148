"""What every frontier must do, whatever it does inside. New methods are found through the registry."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from follower.config import PrepConfig
from follower.errors import ConfigError
from follower.evaluation.scenario import load_scenario
from follower.inference.base import Belief, Frame, Frontier, create_frontier
from follower.inference.methods import DEFAULT_METHOD, METHODS
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.features import FeatureFrames, FeatureStream
from follower.testing import assemble_piece

HOP_S = 512 / 22050


def _stream(path: Path) -> FeatureFrames:
    samples, rate = soundfile.read(path, dtype="float32")
    return FeatureStream(PrepConfig().features, rate).extract(samples)


def _frames(features: FeatureFrames) -> list[Frame]:
    return [
        Frame(pitch, mfcc, float(rms))
        for pitch, mfcc, rms in zip(features.pitch, features.mfcc, features.rms, strict=True)
    ]


@pytest.fixture(scope="module")
def piece(short_demo: Path) -> Piece:
    """The demo's mix with an orchestra that is the mix itself: the frontier alone is tried here, not the map."""
    mix = _stream(short_demo / "po.wav")
    n = len(mix.rms)
    seconds = np.array([0.0, n * HOP_S])
    features = StreamFeatures(mix.pitch, mix.mfcc, mix.rms)
    return assemble_piece(MixMap(seconds, seconds, np.ones(2)), mix=features, orchestra=features)


@pytest.fixture(scope="module")
def piano(short_demo: Path) -> list[Frame]:
    return _frames(_stream(short_demo / "p.wav"))


@pytest.fixture(params=METHODS)
def frontier(request: pytest.FixtureRequest, piece: Piece) -> Frontier:
    return create_frontier(request.param, piece)


def _run(frontier: Frontier, frames: list[Frame]) -> list[Belief]:
    return [frontier.update(frame) for frame in frames]


def test_the_default_is_a_method() -> None:
    assert DEFAULT_METHOD in METHODS


def test_unknown_methods_are_refused(piece: Piece) -> None:
    with pytest.raises(ConfigError, match="unknown method 'guess'; choose one of: tempo"):
        create_frontier("guess", piece)


def test_beliefs_are_plain_numbers_in_range(frontier: Frontier, piano: list[Frame], piece: Piece) -> None:
    for belief in _run(frontier, piano):
        values = dataclasses.asdict(belief)
        mix_s, rest_rate = values.pop("mix_s"), values.pop("rest_rate")
        for place_s, share in values.pop("elsewhere"):
            assert type(place_s) is float and 0 <= place_s <= piece.mix_duration_s + 0.5
            assert type(share) is float and 0 < share <= 1
        assert rest_rate is None or (type(rest_rate) is float and 0 < rest_rate <= 10)
        assert mix_s is None or (type(mix_s) is float and 0 <= mix_s <= piece.mix_duration_s + 0.5)
        assert all(type(v) is float and math.isfinite(v) for v in values.values())
        assert 0 <= belief.rate <= 10
        assert all(0 <= v <= 1 + 1e-6 for v in (belief.concentration, belief.presence))


def test_it_follows_the_demo(frontier: Frontier, piano: list[Frame], short_demo: Path) -> None:
    truth = load_scenario(short_demo).truth
    beliefs = _run(frontier, piano)
    at = HOP_S * np.arange(1, len(beliefs) + 1)
    place = np.array([math.nan if b.mix_s is None else b.mix_s for b in beliefs])
    settled = (at > truth.piano_s[0] + 4) & (at < truth.piano_s[-1])
    error = np.abs(place - np.interp(at, truth.piano_s, truth.mix_s))[settled]
    assert np.median(error) < 0.15


def test_reset_equals_fresh(frontier: Frontier, piano: list[Frame]) -> None:
    first = _run(frontier, piano[:300])
    frontier.seek(3.0)
    frontier.reset()
    assert _run(frontier, piano[:300]) == first


@pytest.mark.parametrize("method", METHODS)
def test_two_of_a_kind_agree(method: str, piece: Piece, piano: list[Frame]) -> None:
    one, other = create_frontier(method, piece), create_frontier(method, piece)
    assert _run(one, piano[:300]) == _run(other, piano[:300])


def test_silence_is_no_evidence(frontier: Frontier) -> None:
    silent = Frame(np.zeros(88, np.float32), np.zeros(13, np.float32), 0.0)
    assert {b.mix_s for b in _run(frontier, [silent] * 200)} == {None}


def test_one_chord_is_no_evidence_until_the_next(frontier: Frontier, piano: list[Frame]) -> None:
    """The first attack of the music, held for two seconds, and then the music."""
    first = next(k for k, f in enumerate(piano) if f.rms > 0.1 * max(g.rms for g in piano))
    held = [dataclasses.replace(f, pitch=f.pitch * np.float32(0.97**k)) for k, f in enumerate([piano[first + 8]] * 86)]
    assert {b.mix_s for b in _run(frontier, [*piano[: first + 8], *held])} == {None}
    assert _run(frontier, piano[first + 8 : first + 180])[-1].mix_s is not None


def test_a_sought_place_is_believed_until_the_piano_tells_otherwise(
    frontier: Frontier, piano: list[Frame], short_demo: Path
) -> None:
    truth = load_scenario(short_demo).truth
    start = int(truth.piano_s[0] / HOP_S)
    frontier.seek(float(truth.mix_s[0]))
    beliefs = _run(frontier, piano[: start + 87])
    place = beliefs[-1].mix_s
    assert place is not None
    assert abs(place - float(np.interp(HOP_S * len(beliefs), truth.piano_s, truth.mix_s))) < 1.0


def test_the_margin_tells_the_true_place_from_another(frontier: Frontier, piano: list[Frame], short_demo: Path) -> None:
    truth = load_scenario(short_demo).truth
    hops = range(int((truth.piano_s[0] + 3) / HOP_S), int(truth.piano_s[-1] / HOP_S))

    def margins(off_s: float) -> list[float]:
        frontier.reset()
        claims = [float(np.interp(HOP_S * (k + 1), truth.piano_s, truth.mix_s)) + off_s for k in range(hops.stop)]
        beliefs = [frontier.update(frame, claim) for frame, claim in zip(piano, claims, strict=False)]
        return [beliefs[k].margin for k in hops]

    right, wrong = margins(0.0), margins(4.0)
    assert np.mean(right) > np.mean(wrong) + 3
    assert np.mean(np.less(wrong, 0)) > 0.8


def test_frames_are_not_kept_or_changed(frontier: Frontier, piano: list[Frame]) -> None:
    """The caller may use its buffers again."""
    expected = _run(frontier, piano[:200])
    frontier.reset()
    pitch, mfcc = np.empty_like(piano[0].pitch), np.empty_like(piano[0].mfcc)
    beliefs = []
    for frame in piano[:200]:
        pitch[:], mfcc[:] = frame.pitch, frame.mfcc
        beliefs.append(frontier.update(Frame(pitch, mfcc, frame.rms)))
        assert np.array_equal(pitch, frame.pitch)
    assert beliefs == expected


def test_memory_does_not_grow_with_history(frontier: Frontier, piano: list[Frame]) -> None:
    _run(frontier, piano)
    tracemalloc.start()
    try:
        _run(frontier, piano)
        before, _ = tracemalloc.get_traced_memory()
        _run(frontier, piano)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000
