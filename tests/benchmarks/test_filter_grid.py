"""The grid tries what it says, follows as the product does, and no work takes part in the choice that judges it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.inference import filter_grid
from benchmarks.inference.filter_grid import PRESENT, VALUES, Followed, Variant
from follower.evaluation.beat_errors import live_errors
from follower.evaluation.scenario import Truth
from follower.inference import tempo_filter
from follower.inference.tempo_filter import TempoFilterConfig
from follower.piece.piece import Piece, StreamFeatures
from follower.signal.features import FeatureStream
from follower.testing import SOUND_RATE_HZ, make_piece, make_sound

SECONDS = 12.0
WORKS = ("bach", "mozart", "chopin", "liszt")


@pytest.fixture(scope="module")
def piece() -> Piece:
    return make_piece(SECONDS)


@pytest.fixture(scope="module")
def live(piece: Piece) -> StreamFeatures:
    frames = FeatureStream(piece.feature_config, SOUND_RATE_HZ).extract(make_sound(SECONDS))
    return StreamFeatures(frames.pitch, frames.mfcc, frames.rms)


def test_a_variant_differs_from_the_present_configuration_in_its_constant_alone() -> None:
    present, *others = filter_grid.variants(VALUES)
    before = asdict(TempoFilterConfig())
    assert asdict(present.config) == before
    assert {v.constant for v in others} == set(VALUES)
    for variant in others:
        changed = {name for name, value in asdict(variant.config).items() if value != before[name]}
        assert changed == {variant.constant}


def test_the_present_value_is_not_tried_twice() -> None:
    tried = filter_grid.variants(["diffusion"], TempoFilterConfig(diffusion=VALUES["diffusion"][0]))
    assert [v.constant for v in tried] == [PRESENT] + ["diffusion"] * (len(VALUES["diffusion"]) - 1)


def test_a_known_start_is_a_position_from_the_first_hop_on(piece: Piece, live: StreamFeatures) -> None:
    unknown = filter_grid.follow(tempo_filter.create(piece), piece, live, None)
    known = filter_grid.follow(tempo_filter.create(piece), piece, live, 0.0)
    assert known.audio_time_s[0] == pytest.approx(piece.feature_config.hop_s)
    assert unknown.audio_time_s[0] > known.audio_time_s[0]


def test_beats_before_the_first_position_are_errors(piece: Piece, live: StreamFeatures) -> None:
    estimates = filter_grid.follow(tempo_filter.create(piece), piece, live, None)
    times = np.arange(0.0, SECONDS, 0.5)
    truth = Truth(times, times, times, times, times, times)
    judged = filter_grid.judge("bach", Variant(PRESENT, PRESENT, TempoFilterConfig()), estimates, truth)
    assert np.isinf(judged.error_s[0]) and abs(judged.error_s[-1]) < 0.2
    np.testing.assert_array_equal(judged.error_s, live_errors(estimates, times, times))


def _runs(over: dict[str, dict[str, int]]) -> list[Followed]:
    """For each value and work so many of ten beats off by a second, the others by a tenth."""
    return [
        Followed(f"x01_{work}", PRESENT if value == PRESENT else "c", value, np.repeat([1.0, 0.1], [k, 10 - k]), k, 0)
        for value, works in over.items()
        for work, k in works.items()
    ]


def test_the_figures_of_a_pool() -> None:
    rows = filter_grid.pooled("p", _runs({PRESENT: dict.fromkeys(WORKS, 1), "2": dict.fromkeys(WORKS, 3)}))
    assert [(r["constant"], r["value"], r["scenarios"], r["beats"]) for r in rows] == [
        (PRESENT, PRESENT, len(WORKS), 10 * len(WORKS)),
        ("c", "2", len(WORKS), 10 * len(WORKS)),
    ]
    assert [r["over_500_ms_pct"] for r in rows] == pytest.approx([10.0, 30.0])
    assert [r["median_ms"] for r in rows] == pytest.approx([100.0, 100.0])
    assert [r["jumps"] for r in rows] == [len(WORKS), 3 * len(WORKS)]


def test_a_present_value_that_is_best_everywhere_is_kept() -> None:
    (row,) = filter_grid.generalisation(_runs({PRESENT: dict.fromkeys(WORKS, 1), "2": dict.fromkeys(WORKS, 3)}))
    assert (row["works"], row["near_best"]) == (len(WORKS), len(WORKS))
    assert row["present_pct"] == row["best_pct"] == row["chosen_pct"] == pytest.approx(10.0)


def test_no_work_is_judged_by_a_value_that_was_chosen_on_it() -> None:
    # "2" is best in all because of one work alone: there it is not chosen, and on all others it is worse.
    helped, *others = WORKS
    bad = {PRESENT: {helped: 10} | dict.fromkeys(others, 1), "2": {helped: 0} | dict.fromkeys(others, 2)}
    (row,) = filter_grid.generalisation(_runs(bad))
    assert row["present_pct"] == pytest.approx(32.5) and row["best_pct"] == pytest.approx(15.0)
    assert row["chosen_pct"] == pytest.approx(100 * (10 + 2 * len(others)) / (10 * len(WORKS)))
    assert row["near_best"] == 1  # without the work that "2" helps
