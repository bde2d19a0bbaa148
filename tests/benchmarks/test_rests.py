"""Rests and stops are found where they were made, and the fit finds the threshold they were made with."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tracking import rests
from benchmarks.tracking.rests import Silence
from follower.evaluation.scenario import Truth
from follower.tracking.piano_activity import MissedPiano, PianoActivity

HOP_S = 0.02
WORKS = ("bach", "mozart", "chopin", "liszt")


def _truth(seconds: float, pause: tuple[float, float] | None = None) -> Truth:
    """The piano plays in the mix's time, but for a pause."""
    at_s = np.arange(0.0, seconds, 0.05)
    if pause is not None:
        at_s = at_s[(at_s < pause[0]) | (at_s > pause[1])]
    none = np.empty(0)
    return Truth(at_s, at_s, at_s, none, none, none)


def _presence(seconds: float, silences: list[tuple[float, float]]) -> np.ndarray:
    at_s = HOP_S * np.arange(round(seconds / HOP_S))
    return np.where([any(a <= t < b for a, b in silences) for t in at_s], 0.0, 1.0)


def _rests(presence: np.ndarray, truth: Truth) -> list[tuple[float, float]]:
    found = rests.rests_and_stops(presence, truth, HOP_S)
    return [(last * HOP_S, end * HOP_S) for rest, last, end in found if rest]


def test_a_rest_is_a_silence_that_is_long_enough() -> None:
    found = _rests(_presence(30, [(8, 10), (15, 15.3), (20, 21)]), _truth(30))
    assert np.array(found) == pytest.approx(np.array([[8, 10], [20, 21]]), abs=1.5 * HOP_S)


def test_a_pause_of_the_pianist_is_no_rest() -> None:
    assert _rests(_presence(30, [(8, 10)]), _truth(30, pause=(8.2, 9.8))) == []


def test_a_silence_after_a_lone_chord_is_no_rest() -> None:
    found = _rests(_presence(30, [(8, 10), (10.2, 12)]), _truth(30))
    assert len(found) == 1 and found[0][1] == pytest.approx(10, abs=1.5 * HOP_S)


def test_a_stop_is_made_only_where_the_piano_sounds_on() -> None:
    stops = [
        k * HOP_S for rest, k, _ in rests.rests_and_stops(_presence(40, [(18, 20)]), _truth(40), HOP_S) if not rest
    ]
    assert len(stops) > 25
    assert not [s for s in stops if 18 - rests.GOES_ON_S * (1 - rests.SILENT_SHARE) < s < 20]


def test_what_is_gathered_is_what_the_tracker_gathers() -> None:
    course = np.random.default_rng(2).uniform(0, 1, 200)
    product = MissedPiano(PianoActivity(course, HOP_S), HOP_S)
    for k, nats in enumerate(rests.gathered(course, HOP_S, rests.USE).tolist()):
        product.update(HOP_S * (k + 1), HOP_S * k)
        assert nats == product.nats


@pytest.fixture(scope="module")
def silences() -> list[Silence]:
    """Rests of 10 s with more or less activity, and stops where the piano goes on at once or after 2 s."""
    rng = np.random.default_rng(3)
    found = [Silence(WORKS[k % 4], True, np.full(500, 0.2 + 0.001 * a)) for k, a in enumerate(rng.permutation(100))]
    for k in range(60):
        begins = 0 if k % 3 else 100
        found.append(Silence(WORKS[k % 4], False, np.where(np.arange(200) < begins, 0.0, 0.95)))
    return found


def test_a_tenth_of_the_rests_passes_the_threshold(silences: list[Silence]) -> None:
    (peaks,) = rests.peaks([s for s in silences if s.rest], HOP_S, rests.USE, [rests.LATE_S])
    assert np.mean(peaks > rests.threshold(peaks)) == pytest.approx(rests.ALLOWED, abs=0.011)
    # A steady activity a gathers no more than -log(1 - a) nats a second over the memory.
    assert peaks.max() <= -np.log(1 - 0.3) * rests.USE.memory_s


def test_no_work_takes_part_in_its_threshold(silences: list[Silence]) -> None:
    certain = [Silence("ravel", True, np.full(500, 0.96))] * 30
    by_others = rests.row("fit", [*silences, *certain], HOP_S, rests.USE, fitted=True)
    # All 30 pass the others' threshold, and none of the others passes one that 23 % of the rests pass.
    assert by_others["rests_called_stops_pct"] == pytest.approx(100 * 30 / 130, abs=0.1)


def test_the_table_counts_what_was_called_in_time(silences: list[Silence], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rests, "MEMORIES_S", (2.0,))
    monkeypatch.setattr(rests, "EXPECT_ABOVE", (0.7,))
    (*fits, use) = rests.compare(silences, HOP_S)
    assert len(fits) == len(rests.MEMORIES_S) + len(rests.EXPECT_ABOVE)
    assert (use["rests"], use["stops"]) == (100, 60)
    assert use["stops_called_soon_pct"] == pytest.approx(66.7)
    assert use["stops_called_late_pct"] == pytest.approx(100)
    (peaks,) = rests.peaks([s for s in silences if s.rest], HOP_S, rests.USE, [rests.LATE_S])
    called = peaks > rests.USE.stopped_above
    assert use["rests_called_stops_pct"] == pytest.approx(100 * called.mean(), abs=0.05)
