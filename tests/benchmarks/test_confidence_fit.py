"""The fit of the confidence finds what made-up performances were made with."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.tracking import confidence_fit
from benchmarks.tracking.confidence_rows import Row, Rows
from follower.events import State
from follower.tracking.confidence import FITTED, Coefficients, on_track_log_odds, probability, sounding_confidence
from follower.tracking.evidence import Evidence
from follower.tracking.playing_state import StateConfig

TRUE = Coefficients((1.0, 0.7, 0.3, -2.0), (-0.5, 0.6, 0.3, 2.0, -0.4), 0.7, 0.8, 40.0, (-1.0, 0.5))
WORKS = ("bach", "mozart", "chopin", "liszt", "ravel", "haydn")


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Performances of estimates that are right as often as `TRUE` says."""
    rng = np.random.default_rng(1)

    def evidence(silent_s: float) -> Evidence:
        log10_odds, margin, age_s = rng.uniform(-2, 4), rng.uniform(-8, 8), rng.exponential(3.0)
        return Evidence(float(log10_odds), float(margin), float(10 ** rng.uniform(-3, 0)), float(age_s), silent_s)

    def row(e: Evidence, state: State, right: float, wrong_s: float, met: bool = False) -> Row:
        error_s = 0.1 if rng.random() < right else wrong_s
        return Row(str(rng.choice(WORKS)), e, sure, state, error_s, met)

    made = Rows()
    for _ in range(6000):
        e, sure = evidence(0.0), float(rng.uniform(0.2, 1.0))
        made.instants.append(row(e, State.FOLLOWING, probability(on_track_log_odds(e, TRUE)), 5.0))
        on_track = rng.random() < probability(on_track_log_odds(e, TRUE))
        exact = sounding_confidence(e, sure, TRUE) / probability(on_track_log_odds(e, TRUE))
        made.beats.append(row(e, State.FOLLOWING, exact if on_track else 0.0, 0.5 if on_track else 5.0))
        gap = evidence(float(rng.uniform(0.2, 0.7)))
        made.beats.append(row(gap, State.FOLLOWING, sounding_confidence(gap, sure, TRUE) * TRUE.gap_share, 0.5))
        rest = evidence(float(rng.uniform(1, 60)))
        still = TRUE.rest_share * math.exp(-rest.silent_s / TRUE.rest_s)
        met = bool(rng.random() < sounding_confidence(rest, sure, TRUE) * still)
        made.returns.append(row(rest, State.ORCHESTRA, 0.0, 0.5, met))
        pause = evidence(StateConfig().decide_after_s + float(rng.exponential(1 / TRUE.pause[1])))
        made.returns.append(row(pause, State.PAUSED, 0.0, 0.5, bool(rng.random() < 0.25)))
    return made


@pytest.fixture(scope="module")
def found(rows: Rows) -> Coefficients:
    return confidence_fit.fit(rows)


def test_it_finds_the_regressions(found: Coefficients) -> None:
    assert found.on_track == pytest.approx(TRUE.on_track, abs=0.3)
    assert found.exact == pytest.approx(TRUE.exact, abs=0.4)


def test_it_finds_what_silences_leave(found: Coefficients) -> None:
    assert found.gap_share == pytest.approx(TRUE.gap_share, abs=0.05)
    assert found.rest_share == pytest.approx(TRUE.rest_share, abs=0.15)
    assert found.rest_s == pytest.approx(TRUE.rest_s, rel=0.3)
    called_s = StateConfig().decide_after_s
    assert found.pause[1] == pytest.approx(TRUE.pause[1], rel=0.1)
    assert probability(found.pause[0] + found.pause[1] * called_s) == pytest.approx(0.25, abs=0.03)


def test_no_work_is_judged_by_a_fit_that_has_seen_it(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(part: Rows) -> Coefficients:
        return Coefficients((float(len({r.work for r in part.beats})),), (), 0, 0, 0, (0, 0))

    monkeypatch.setattr(confidence_fit, "fit", seen)
    folds = confidence_fit.cross_validate(rows)
    assert set(folds) == set(WORKS)
    assert {fold.on_track[0] for fold in folds.values()} == {len(WORKS) - 1.0}


def test_the_coefficients_go_into_the_module_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "confidence.py"
    text = confidence_fit.MODULE.read_text(encoding="utf-8")
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(confidence_fit, "MODULE", copy)
    confidence_fit.write_coefficients(TRUE, "Made up.")
    new = copy.read_text(encoding="utf-8")
    assert "# Made up." in new
    found: dict[str, object] = {}
    exec(compile(new, "confidence", "exec"), found)
    assert repr(found["FITTED"]) == repr(TRUE) != repr(FITTED)
    assert new.partition("# fitted: begin")[0] == text.partition("# fitted: begin")[0]
    assert new.partition("# fitted: end")[2] == text.partition("# fitted: end")[2]
