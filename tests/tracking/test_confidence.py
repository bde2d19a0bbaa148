"""What raises and lowers the confidence in a claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from follower.tracking.confidence import confidence, on_track_log_odds
from follower.tracking.evidence import MAX_LOG10_ODDS, MAX_SETTLED, Evidence, log10_odds

GOOD = Evidence(3.0, 3.0, 2.0, 20.0, 0.0)


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, log10_odds=0.0),
        replace(GOOD, settled=0.0),
        replace(GOOD, margin=-4.0),
        replace(GOOD, silent_s=0.5),
    ],
)
def test_each_piece_of_evidence_counts(worse: Evidence) -> None:
    assert confidence(worse, 0.9) < confidence(GOOD, 0.9) - 0.01


def test_a_doubtful_map_makes_a_sure_place_doubtful() -> None:
    assert confidence(GOOD, 1.0) > 0.95
    assert 0.0 < confidence(GOOD, 0.0) < confidence(GOOD, 0.4) < 0.75


@pytest.mark.parametrize("evidence", [Evidence(d, 0.0, m, 0.0, 1e6) for d in (-1e9, 1e9) for m in (-90.0, 90.0)])
def test_it_stays_a_probability(evidence: Evidence) -> None:
    assert 0.0 <= confidence(evidence, 0.0) <= confidence(evidence, 1.0) <= 1.0


def test_a_margin_beyond_the_best_rival_makes_no_place_more_exact() -> None:
    assert confidence(replace(GOOD, margin=9.0), 1.0) == confidence(GOOD, 1.0)
    assert on_track_log_odds(replace(GOOD, margin=9.0)) > on_track_log_odds(GOOD)


def test_a_new_claim_is_more_easily_lost() -> None:
    assert on_track_log_odds(replace(GOOD, age_s=0.0)) < on_track_log_odds(GOOD) - 0.5


def test_decades_have_ends() -> None:
    assert [log10_odds(x) for x in (0.0, 1e-30, 1.0)] == [-MAX_LOG10_ODDS, -MAX_LOG10_ODDS, MAX_LOG10_ODDS]
    assert MAX_SETTLED < MAX_LOG10_ODDS
