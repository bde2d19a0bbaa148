"""Maps of small synthetic concertos, cut, stretched, transposed and spoilt in every way."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from follower.errors import InputError
from follower.piece.mix_map import MixMap
from offline_prep.alignment.align import Alignment, align_recordings
from offline_prep.alignment.config import AlignConfig
from offline_prep.alignment.quality import Fit
from tests.offline_prep.alignment.align_audio import RATE_HZ, Piece, concerto

FEW_KEYS = AlignConfig(transpositions=(-4, -1, 0, 1, 4))
"""Trying all thirteen transpositions is most of the work on such short recordings."""


def _samples(seconds: float) -> int:
    return int(seconds * RATE_HZ)


def _error(found: MixMap, mix_s: NDArray[np.float64], orchestra_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(found.to_orchestra(mix_s) - orchestra_s)


def _align(piece: Piece, config: AlignConfig = FEW_KEYS) -> Alignment:
    return align_recordings(piece.orchestra, piece.mix, RATE_HZ, config)


@pytest.fixture(scope="module")
def piece() -> Piece:
    return concerto()


@pytest.fixture(scope="module")
def whole(piece: Piece) -> Alignment:
    return _align(piece)


def test_plain_pair(piece: Piece, whole: Alignment) -> None:
    error = _error(whole.mix_map, piece.mix_s, piece.orchestra_s)
    assert np.median(error) < 0.02
    assert error.max() < 0.15
    assert whole.quality.fit is Fit.GOOD and whole.quality.messages == ()
    assert whole.transposition == 0
    assert float(np.median(whole.mix_map.confidence_at(piece.mix_s))) > 0.8


def test_the_map_covers_the_mix_on_a_fine_grid(piece: Piece, whole: Alignment) -> None:
    m = whole.mix_map
    assert m.mix_s[0] == 0.0 and m.mix_s[-1] == pytest.approx(len(piece.mix) / RATE_HZ)
    assert float(np.diff(m.mix_s).max()) <= 0.1 + 1e-9
    assert m.orchestra_s[0] >= 0.0 and m.orchestra_s[-1] <= len(piece.orchestra) / RATE_HZ


def test_report_is_plain_json(whole: Alignment) -> None:
    report = json.loads(json.dumps(whole.report()))
    assert report["warnings"] == [] and report["fit"] == "good" and report["transposition_semitones"] == 0


def test_a_passage_cut_from_the_orchestra(piece: Piece) -> None:
    """15 s are gone from O without a trace: O holds, and the map is right on both sides."""
    a, b = 15.0, 30.0
    cut = np.concatenate([piece.orchestra[: _samples(a)], piece.orchestra[_samples(b) :]])
    m = align_recordings(cut, piece.mix, RATE_HZ, FEW_KEYS).mix_map
    before, after = piece.orchestra_s < a - 1.5, piece.orchestra_s > b + 1.5
    assert _error(m, piece.mix_s[before], piece.orchestra_s[before]).max() < 0.15
    assert _error(m, piece.mix_s[after], piece.orchestra_s[after] - (b - a)).max() < 0.15
    middle = float(np.interp((a + b) / 2, piece.orchestra_s, piece.mix_s))
    assert bool(m.in_cut(middle)) and m.confidence_at(middle) == 0.0
    assert m.to_orchestra(middle) == pytest.approx(a, abs=1.0)


def test_silence_inserted_into_the_orchestra(piece: Piece) -> None:
    at = 20.0
    longer = np.concatenate(
        [piece.orchestra[: _samples(at)], np.zeros(_samples(10.0), np.float32), piece.orchestra[_samples(at) :]]
    )
    m = align_recordings(longer, piece.mix, RATE_HZ, FEW_KEYS).mix_map
    before, after = piece.orchestra_s < at - 1.0, piece.orchestra_s > at + 1.0
    assert _error(m, piece.mix_s[before], piece.orchestra_s[before]).max() < 0.15
    assert _error(m, piece.mix_s[after], piece.orchestra_s[after] + 10.0).max() < 0.15


def test_the_beginning_of_the_orchestra_is_missing(piece: Piece) -> None:
    late = piece.orchestra[_samples(15.0) :]
    m = align_recordings(late, piece.mix, RATE_HZ, FEW_KEYS).mix_map
    after = piece.orchestra_s > 15.5
    assert _error(m, piece.mix_s[after], piece.orchestra_s[after] - 15.0).max() < 0.15
    assert m.to_orchestra(1.0) == 0.0 and bool(m.in_cut(1.0))


def test_applause_behind_the_mix(piece: Piece) -> None:
    rng = np.random.default_rng(1)
    clap = (0.05 * rng.standard_normal(_samples(15.0)) * (rng.random(_samples(15.0)) < 0.1)).astype(np.float32)
    m = align_recordings(piece.orchestra, np.concatenate([piece.mix, clap]), RATE_HZ, FEW_KEYS).mix_map
    assert _error(m, piece.mix_s, piece.orchestra_s).max() < 0.15
    end = len(piece.orchestra) / RATE_HZ
    assert m.to_orchestra(len(piece.mix) / RATE_HZ + 10.0) == pytest.approx(end, abs=2.5)


def test_a_sparse_orchestra() -> None:
    """One stroke every fourth beat, the piano alone in between."""
    piece = concerto(seed=4, strokes_every=4)
    found = _align(piece)
    error = _error(found.mix_map, piece.mix_s[::4], piece.orchestra_s[::4])
    assert np.median(error) < 0.03 and np.mean(error > 0.3) < 0.05


def test_a_semitone_apart_is_handled(piece: Piece) -> None:
    """O at old pitch: the same map, no warning; and the tunings that remain are distinguished from it."""
    low = concerto(orchestra_tuning=-1.0, mix_tuning=0.25)
    found = _align(low)
    assert found.transposition == 1 and found.quality.messages == ()
    assert found.mix_tuning == pytest.approx(0.25, abs=0.04)
    assert _error(found.mix_map, low.mix_s, low.orchestra_s).max() < 0.15


def test_a_transposed_recording_is_reported() -> None:
    high = concerto(seed=2, beats=60, orchestra_tuning=4.0)
    found = _align(high, AlignConfig())
    assert found.transposition == -4
    (message,) = found.quality.messages
    assert "4.0 semitones below" in message
    assert np.median(_error(found.mix_map, high.mix_s, high.orchestra_s)) < 0.03


def test_an_orchestra_stem_is_used_where_it_helps() -> None:
    """A perfect stem under a loud piano is used, a stem of noise is not, and one of another length is refused."""
    piece = concerto(seed=3, beats=40)
    alone = concerto(seed=3, beats=40, piano=0.0)
    loud = concerto(seed=3, beats=40, piano=3.0)
    with_stem = align_recordings(piece.orchestra, loud.mix, RATE_HZ, FEW_KEYS, mix_orchestra_stem=alone.mix)
    assert with_stem.stem_used
    error = _error(with_stem.mix_map, piece.mix_s, piece.orchestra_s)
    assert np.median(error) < 0.02
    noise = np.random.default_rng(0).standard_normal(len(piece.mix)).astype(np.float32)
    assert not align_recordings(piece.orchestra, piece.mix, RATE_HZ, FEW_KEYS, mix_orchestra_stem=noise).stem_used
    with pytest.raises(InputError, match="orchestra stem lasts"):
        align_recordings(piece.orchestra, piece.mix, RATE_HZ, FEW_KEYS, mix_orchestra_stem=noise[: len(noise) // 2])


def test_different_pieces_are_reported(piece: Piece) -> None:
    other = concerto(seed=9)
    found = align_recordings(other.orchestra, piece.mix, RATE_HZ)
    assert found.quality.fit is Fit.DIFFERENT
    assert "do not seem to be the same piece" in found.quality.messages[0]


def test_work_and_accuracy_of_the_banded_coarse_stage(piece: Piece, whole: Alignment) -> None:
    """A band of +-6 s round the overview gives the same map, and its work grows only in proportion to the length."""
    banded = replace(FEW_KEYS, max_full_cells=0, band_s=6.0)
    found = _align(piece, banded)
    np.testing.assert_allclose(
        found.mix_map.to_orchestra(piece.mix_s), whole.mix_map.to_orchestra(piece.mix_s), atol=0.03
    )
    half = concerto(beats=42)
    assert found.cells < 0.6 * whole.cells
    assert found.cells < 2.4 * _align(half, banded).cells


def test_progress_rises_to_one(piece: Piece) -> None:
    seen: list[tuple[str, float]] = []
    short = concerto(beats=20)
    align_recordings(
        short.orchestra, short.mix, RATE_HZ, FEW_KEYS, progress=lambda stage, share: seen.append((stage, share))
    )
    shares = [share for _, share in seen]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    stages = ("overview", "coarse", "fine", "precise")
    assert tuple(s for s, _ in seen if s in stages) == stages


@pytest.mark.parametrize(
    ("orchestra", "message"),
    [
        (np.zeros(_samples(1.0), np.float32), "orchestra recording lasts 1.00 s"),
        (np.zeros(_samples(5.0), np.float32), "orchestra recording is silent"),
        (np.ones((2, _samples(5.0)), np.float32), "give mono"),
    ],
)
def test_unusable_recordings(orchestra: NDArray[np.float32], message: str, piece: Piece) -> None:
    with pytest.raises(InputError, match=message):
        align_recordings(orchestra, piece.mix, RATE_HZ)
