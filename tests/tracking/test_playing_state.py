"""Which states follow which, whatever the facts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.events import State
from follower.tracking.playing_state import TRANSITIONS, Facts, PlayingState, Reason, StateConfig
from tests.paths import REPOSITORY

HOP_S = 512 / 22050
PLAYING = Facts(True, -6.0, 4.0, False, 0.99, True, 0.0, 1.0, False, False)
SILENT = replace(PLAYING, silent_s=1.0, sounded_s=0.0)

odds = st.floats(-12, 12)
facts = st.builds(
    Facts,
    known=st.sampled_from((True, True, True, False)),
    stopped=odds,
    on_track=odds,
    rival=st.booleans(),
    concentration=st.floats(0, 1),
    near=st.booleans(),
    silent_s=st.sampled_from((0.0, 0.0, 0.1, 0.8, 5.0)),
    sounded_s=st.sampled_from((0.0, 0.1, 2.0)),
    in_cut=st.booleans(),
    at_end=st.booleans(),
)


@given(st.lists(st.tuples(facts, st.integers(1, 20)), max_size=30))
def test_only_legal_transitions_whatever_happens(script: list[tuple[Facts, int]]) -> None:
    playing = PlayingState(StateConfig(), HOP_S)
    for fact, hops in script:
        for _ in range(hops):
            before = playing.state
            playing.update(fact)
            assert playing.state is before or playing.state in TRANSITIONS[before]
            if before is State.PAUSED and fact.silent_s > 0 and fact.known:
                assert playing.state is State.PAUSED  # only the piano ends a pause
            if before is State.LOST and fact.known:
                assert playing.state is not State.ORCHESTRA
            assert (playing.state is State.WAITING) == (not fact.known)


@given(st.lists(st.tuples(facts, st.integers(1, 20)), max_size=30))
def test_the_same_facts_give_the_same_states(script: list[tuple[Facts, int]]) -> None:
    playing, again = PlayingState(StateConfig(), HOP_S), PlayingState(StateConfig(), HOP_S)
    for fact, _ in script:
        again.update(fact)
    again.reset()
    for fact, hops in script:
        for _ in range(hops):
            playing.update(fact)
            again.update(fact)
            assert (playing.state, playing.reason) == (again.state, again.reason)


def test_every_state_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(State) == set().union(*TRANSITIONS.values())
    assert all(following for following in TRANSITIONS.values())


def test_the_document_tells_the_transitions() -> None:
    text = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8").partition("### States")[2]
    told = {}
    for row in re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", text.partition("###")[0], re.MULTILINE):
        others = {State(name) for name in re.findall(r"`(\w+)`", row[1])}
        told[State(row[0])] = set(State) - {State(row[0])} if row[1] == "any" else others
    assert told == {state: set(following) for state, following in TRANSITIONS.items()}


def test_an_illegal_transition_is_refused() -> None:
    playing = PlayingState(StateConfig(), HOP_S)
    with pytest.raises(ValueError, match="waiting to orchestra"):
        playing.enter(State.ORCHESTRA, Reason.RESTS)


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        ([(PLAYING, 1.0)], State.FOLLOWING, Reason.POSITION_KNOWN),
        ([(replace(PLAYING, in_cut=True), 1.0)], State.FOLLOWING, Reason.CADENZA),
        ([(replace(PLAYING, on_track=0.0), HOP_S)], State.LOST, Reason.GUESS),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-9.0), HOP_S)], State.LOST, Reason.SEVERAL),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-1.0, rival=True), 1.0)], State.LOST, Reason.ELSEWHERE),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-1.0), HOP_S)], State.FOLLOWING, Reason.POSITION_KNOWN),
        ([(PLAYING, 1.0), (replace(SILENT, stopped=3.0), HOP_S)], State.PAUSED, Reason.STOPPED),
        ([(PLAYING, 1.0), (SILENT, HOP_S)], State.ORCHESTRA, Reason.RESTS),
        ([(PLAYING, 1.0), (replace(SILENT, silent_s=0.2), 1.0)], State.FOLLOWING, Reason.POSITION_KNOWN),
        (
            [(PLAYING, 1.0), (SILENT, 1.0), (replace(SILENT, stopped=3.0), HOP_S)],
            State.PAUSED,
            Reason.MISSED_ENTRY,
        ),
        ([(replace(PLAYING, on_track=0.0), 1.0), (SILENT, 1.0)], State.LOST, Reason.GUESS),
        (
            [(replace(PLAYING, on_track=0.0), 1.0), (replace(SILENT, silent_s=4.0, stopped=1.0), HOP_S)],
            State.PAUSED,
            Reason.STOPPED_IN_DOUBT,
        ),
        ([(PLAYING, 1.0), (replace(SILENT, at_end=True, stopped=5.0), HOP_S)], State.ENDED, Reason.PIECE_OVER),
    ],
)
def test_what_happened_decides_the_state(script: list[tuple[Facts, float]], state: State, reason: Reason) -> None:
    playing = PlayingState(StateConfig(), HOP_S)
    for fact, seconds in script:
        for _ in range(max(round(seconds / HOP_S), 1)):
            playing.update(fact)
    assert (playing.state, playing.reason) == (state, reason)


@pytest.mark.parametrize(
    ("back", "state"),
    [
        (replace(PLAYING, sounded_s=HOP_S), State.FOLLOWING),
        (replace(PLAYING, sounded_s=HOP_S, near=False, concentration=0.5), State.PAUSED),
        (replace(PLAYING, sounded_s=HOP_S, near=False, concentration=0.95), State.FOLLOWING),
        (replace(PLAYING, sounded_s=3.0, near=False, concentration=0.5), State.FOLLOWING),
    ],
)
def test_a_pause_ends_where_it_was_at_once_and_elsewhere_when_it_is_sure(back: Facts, state: State) -> None:
    playing = PlayingState(StateConfig(), HOP_S)
    for fact in (PLAYING, replace(SILENT, stopped=3.0), back):
        playing.update(fact)
    assert playing.state is state


@pytest.mark.parametrize("field", ["found_above", "resting_after_s"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        StateConfig(**{field: -9.0})
