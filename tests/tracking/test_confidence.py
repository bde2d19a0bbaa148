"""What raises and lowers the confidence in an estimate."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.tracking.confidence import (
    MAX_EXACT_LOG10_ODDS,
    MAX_LOG10_ODDS,
    Evidence,
    confidence,
    log10_odds,
    on_track_log_odds,
    probability,
)

GOOD = Evidence(3.0, 2.0, 10.0, math.inf, 0.0, 0.01)


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, log10_odds=0.0),
        replace(GOOD, margin=-4.0),
        replace(GOOD, place_log_odds=-5.0),
        replace(GOOD, silent_s=2.0),
        replace(GOOD, correction_s=0.2),
    ],
)
def test_each_piece_of_evidence_counts(worse: Evidence) -> None:
    assert confidence(worse, 0.9) < confidence(GOOD, 0.9) - 0.01


def test_a_doubtful_map_makes_a_sure_place_doubtful() -> None:
    assert confidence(GOOD, 1.0) > 0.9
    assert 0.0 < confidence(GOOD, 0.0) < confidence(GOOD, 0.4) < confidence(GOOD, 1.0) - 0.1


evidence = st.builds(
    Evidence,
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
    st.floats(-1e9, 1e9),
    st.floats(0, math.inf),
    st.floats(0, 1e6),
    st.floats(0, 2),
)


@given(evidence)
def test_it_stays_a_probability(e: Evidence) -> None:
    assert 0.0 <= confidence(e, 0.0) <= confidence(e, 1.0) <= 1.0


@given(evidence)
def test_no_claim_is_surer_than_its_place(e: Evidence) -> None:
    """`lost` follows from the position's odds: where they are bad, the confidence is."""
    assert confidence(e, 1.0) <= probability(on_track_log_odds(e))


def test_a_margin_beyond_the_best_rival_makes_no_place_more_exact() -> None:
    assert on_track_log_odds(replace(GOOD, margin=9.0)) > on_track_log_odds(GOOD)
    assert on_track_log_odds(replace(GOOD, margin=1e9)) == on_track_log_odds(replace(GOOD, margin=99.0))


def test_a_place_somebody_told_is_believed_at_first() -> None:
    new = replace(GOOD, log10_odds=0.0, margin=0.0, place_log_odds=0.0)
    assert on_track_log_odds(replace(new, told_s=0.0)) > on_track_log_odds(new) + 0.5


def test_log10_odds_have_ends() -> None:
    assert [log10_odds(x) for x in (0.0, 1e-30, 1.0)] == [-MAX_LOG10_ODDS, -MAX_LOG10_ODDS, MAX_LOG10_ODDS]
    assert MAX_EXACT_LOG10_ODDS < MAX_LOG10_ODDS
