"""What raises and lowers the confidence in an estimate."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.events import State
from follower.tracking.confidence import (
    FOLLOWING_MIN,
    LOST_MAX,
    confidence,
    on_track_log_odds,
    silence_share,
    sounding_confidence,
)
from follower.tracking.evidence import GIVEN, MAX_LOG10_ODDS, Evidence, log10_odds

GOOD = Evidence(log10_odds=3.0, margin=2.0, correction_s=0.01, age_s=20.0, silent_s=0.0)

evidences = st.builds(
    Evidence,
    log10_odds=st.floats(-MAX_LOG10_ODDS, MAX_LOG10_ODDS),
    margin=st.floats(-300, 300),
    correction_s=st.floats(0, 1),
    age_s=st.one_of(st.floats(0, 1e4), st.just(math.inf)),
    silent_s=st.floats(0, 1e4),
    given=st.booleans(),
)


@pytest.mark.parametrize(
    "worse",
    [
        replace(GOOD, log10_odds=0.0),
        replace(GOOD, margin=-4.0),
        replace(GOOD, correction_s=0.2),
        replace(GOOD, age_s=0.0),
        replace(GOOD, silent_s=0.5),
    ],
)
def test_each_piece_of_evidence_counts(worse: Evidence) -> None:
    assert confidence(worse, 0.9, State.FOLLOWING) < confidence(GOOD, 0.9, State.FOLLOWING)


def test_a_doubtful_map_makes_a_sure_position_doubtful() -> None:
    sure = [sounding_confidence(GOOD, map_confidence) for map_confidence in (0.0, 0.4, 1.0)]
    assert sure == sorted(sure)
    assert sure[0] < 0.6 < 0.9 < sure[-1]


@given(evidences, st.floats(0, 1), st.sampled_from(State))
def test_state_and_confidence_never_contradict_each_other(evidence: Evidence, sure: float, state: State) -> None:
    found = confidence(evidence, sure, state)
    assert 0.0 <= found <= 1.0
    if not evidence.given:
        assert state is not State.FOLLOWING or found >= FOLLOWING_MIN
        assert state is not State.LOST or found <= LOST_MAX < FOLLOWING_MIN


def test_a_position_that_was_given_has_its_own_confidence_until_it_is_heard() -> None:
    sure = {confidence(replace(GIVEN, silent_s=s), 0.0, State.PAUSED) for s in (0.0, 1.0, 60.0)}
    assert len(sure) == 1
    assert sure.pop() > 0.8


def test_a_rest_takes_its_toll_slowly_and_a_pause_becomes_surer() -> None:
    rest = [silence_share(s, State.ORCHESTRA) for s in (1.0, 10.0, 30.0)]
    assert rest == sorted(rest, reverse=True)
    assert rest[-1] > 0.75 * rest[0]
    pause = [silence_share(s, State.PAUSED) for s in (1.0, 3.0, 10.0, 60.0)]
    assert pause == sorted(pause)
    assert pause[0] < 0.5 < 0.9 < pause[-1]


def test_a_gap_begins_where_the_sound_ended() -> None:
    assert silence_share(0.0, State.FOLLOWING) == 1.0
    assert silence_share(1e-3, State.FOLLOWING) == pytest.approx(1.0, abs=0.01)
    assert silence_share(0.3, State.FOLLOWING) < 0.9


def test_a_new_estimate_is_more_easily_lost() -> None:
    assert on_track_log_odds(replace(GOOD, age_s=0.0)) < on_track_log_odds(GOOD) - 0.5


def test_log_odds_have_ends() -> None:
    assert [log10_odds(x) for x in (0.0, 1e-30, 1.0)] == [-MAX_LOG10_ODDS, -MAX_LOG10_ODDS, MAX_LOG10_ODDS]
