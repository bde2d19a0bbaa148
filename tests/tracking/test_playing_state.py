"""Which states follow which, whatever the facts."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.events import State
from follower.tracking.piano_activity import PianoActivity
from follower.tracking.playing_state import STATE_OF, TRANSITIONS, Facts, PlayingState, Reason, StateConfig
from tests.paths import REPOSITORY

HOP_S = 512 / 22050
PLAYING = Facts(
    mix_s=10.0, last_note_s=10.0, new=False, believed=True, on_track=4.0, fits_elsewhere=False, concentration=0.99,
    sounded_s=1.0, silent_s=0.0, held=False, near=True, in_cut=False, at_end=False,
)  # fmt: skip
SILENT = replace(PLAYING, silent_s=1.0, sounded_s=0.0)
FALLS_SILENT = [replace(SILENT, silent_s=(hop + 1) * HOP_S) for hop in range(round(1.0 / HOP_S))]
REST = (30.0, 40.0)
"""Here the mix has no piano."""
RESTING = replace(SILENT, mix_s=REST[0], last_note_s=REST[0])

positions = st.one_of(st.none(), st.floats(0, 50))
facts = st.builds(
    Facts,
    mix_s=positions,
    last_note_s=positions,
    new=st.booleans(),
    believed=st.sampled_from((True, True, True, False)),
    on_track=st.floats(-12, 12),
    fits_elsewhere=st.booleans(),
    concentration=st.floats(0, 1),
    sounded_s=st.sampled_from((0.0, 0.1, 2.0)),
    silent_s=st.sampled_from((0.0, 0.0, 0.1, 0.8, 2.5, 9.0)),
    held=st.booleans(),
    near=st.booleans(),
    in_cut=st.booleans(),
    at_end=st.booleans(),
)
commands = st.sampled_from(("give", "command", "forget", "moved", "finish"))
scripts = st.lists(st.one_of(commands, st.tuples(facts, st.integers(1, 20))), max_size=30)


def a_state() -> PlayingState:
    at = 0.1 * np.arange(500)
    return PlayingState(StateConfig(), PianoActivity((at < REST[0]) | (at >= REST[1]), 0.1), HOP_S)


@given(scripts)
def test_only_legal_transitions_whatever_happens(script: list[str | tuple[Facts, int]]) -> None:
    playing = a_state()
    for step in script:
        for _ in range(1 if isinstance(step, str) else step[1]):
            before = playing.state
            if isinstance(step, str):
                getattr(playing, step)()
            else:
                playing.update(step[0])
            assert playing.state is before or playing.state in TRANSITIONS[before]


@given(scripts)
def test_what_the_facts_say_holds_in_every_state(script: list[str | tuple[Facts, int]]) -> None:
    playing = a_state()
    for step in script:
        if isinstance(step, str):
            getattr(playing, step)()
            continue
        fact, hops = step
        for _ in range(hops):
            before = playing.state
            playing.update(fact)
            assert (playing.state is State.WAITING) == (fact.mix_s is None)
            if fact.mix_s is None or not fact.believed:
                continue
            if before in (State.PAUSED, State.ENDED) and fact.silent_s > 0 and not fact.new:
                assert playing.state is before  # only the piano ends a pause
            if fact.silent_s == 0 and not fact.held:
                assert playing.state in (State.FOLLOWING, State.LOST)
            if playing.state is State.ORCHESTRA is not before:
                assert fact.silent_s > 0


@given(scripts)
def test_reset_equals_fresh(script: list[str | tuple[Facts, int]]) -> None:
    used, fresh = a_state(), a_state()
    for step in script:
        getattr(used, step)() if isinstance(step, str) else used.update(step[0])
    used.reset()
    for step in script:
        for playing in (used, fresh):
            getattr(playing, step)() if isinstance(step, str) else playing.update(step[0])
        assert used.reason is fresh.reason


def test_every_reason_belongs_to_a_state_and_every_state_can_be_reached_and_left() -> None:
    assert set(STATE_OF) == set(Reason)
    assert set(STATE_OF.values()) == set(TRANSITIONS) == set(State) == set().union(*TRANSITIONS.values())
    assert all(TRANSITIONS.values())
    assert len({reason.value for reason in Reason}) == len(Reason)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([(replace(PLAYING, mix_s=None), 1.0)], Reason.NOTHING_HEARD),
        ([(replace(PLAYING, believed=False), 1.0)], Reason.GIVEN),
        ([(PLAYING, 1.0)], Reason.POSITION_KNOWN),
        ([(replace(PLAYING, in_cut=True), 1.0)], Reason.CADENZA),
        ([(replace(PLAYING, on_track=0.0), HOP_S)], Reason.GUESS),
        ([(replace(PLAYING, on_track=0.0), HOP_S), (PLAYING, 1.0)], Reason.POSITION_KNOWN),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-1.0), HOP_S)], Reason.POSITION_KNOWN),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-1.0), 1.0)], Reason.SEVERAL),
        ([(PLAYING, 1.0), (replace(PLAYING, on_track=-1.0, fits_elsewhere=True), 1.0)], Reason.ELSEWHERE),
        ([(PLAYING, 1.0), (SILENT, 1.0)], Reason.STOPPED),
        ([(PLAYING, 1.0), (replace(SILENT, silent_s=0.2), HOP_S)], Reason.POSITION_KNOWN),
        ([(PLAYING, 1.0), (RESTING, HOP_S)], Reason.RESTS),
        (
            [(PLAYING, 1.0), (RESTING, HOP_S), (replace(RESTING, mix_s=44, silent_s=14), 1.0)],
            Reason.ENTRY_MISSED,
        ),
        ([(PLAYING, 1.0), (replace(SILENT, at_end=True), HOP_S)], Reason.PIECE_OVER),
    ],
)  # fmt: skip
def test_what_happened_decides_the_state(script: list[tuple[Facts, float]], reason: Reason) -> None:
    playing = a_state()
    for fact, seconds in script:
        falls_silent = fact is SILENT and seconds > HOP_S
        for fact_of_hop in FALLS_SILENT if falls_silent else [fact] * max(round(seconds / HOP_S), 1):
            playing.update(fact_of_hop)
    assert (playing.reason, playing.state) == (reason, STATE_OF[reason])


@pytest.mark.parametrize(
    ("back", "state"),
    [
        (replace(PLAYING, held=True, sounded_s=HOP_S), State.FOLLOWING),
        (replace(PLAYING, held=True, sounded_s=HOP_S, near=False, concentration=0.5), State.PAUSED),
        (replace(PLAYING, held=True, sounded_s=3.0, concentration=0.5), State.FOLLOWING),
        (replace(PLAYING, held=False, sounded_s=HOP_S, concentration=0.5), State.FOLLOWING),
    ],
)
def test_a_held_pause_ends_when_the_return_is_confirmed(back: Facts, state: State) -> None:
    playing = a_state()
    for fact in (PLAYING, *FALLS_SILENT, back):
        playing.update(fact)
    assert playing.state is state


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([], Reason.GIVEN),
        ([PLAYING], Reason.POSITION_KNOWN),
        ([PLAYING, *FALLS_SILENT], Reason.GIVEN),
        ([replace(PLAYING, on_track=0.0)], Reason.POSITION_KNOWN),
        ([PLAYING, RESTING], Reason.RESTS),
    ],
)
def test_a_given_position_is_waited_at_where_nothing_plays(before: list[Facts], reason: Reason) -> None:
    playing = a_state()
    for fact in before:
        playing.update(fact)
    playing.give()
    assert playing.reason is reason


@pytest.mark.parametrize("field", ["found_above", "decide_after_s", "return_above", "return_near_above"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        StateConfig(**{field: -9.0})


def test_the_document_lists_the_transitions() -> None:
    text = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8").partition("### States")[2]
    listed = {}
    for name, following in re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", text.partition("###")[0], re.MULTILINE):
        others = {State(other) for other in re.findall(r"`(\w+)`", following)}
        listed[State(name)] = set(State) - {State(name)} if following == "any" else others
    assert listed == {state: set(following) for state, following in TRANSITIONS.items()}


@pytest.mark.parametrize(
    ("near", "concentration", "returns"), [(True, 0.5, True), (False, 0.5, False), (False, 0.8, True)]
)
def test_a_pause_ends_sooner_where_the_piano_goes_on_near_the_position_held(
    near: bool, concentration: float, returns: bool
) -> None:
    playing = a_state()
    for fact in (PLAYING, *FALLS_SILENT):
        playing.update(fact)
    assert playing.reason is Reason.STOPPED
    playing.update(replace(PLAYING, held=True, sounded_s=0.05, near=near, concentration=concentration))
    assert (playing.state is State.FOLLOWING) is returns
