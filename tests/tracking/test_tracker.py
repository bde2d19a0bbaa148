"""What the tracker reports, given beliefs made by hand: scripts of what the pianist does, and when it has to show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from follower.errors import ConfigError
from follower.events import Elsewhere, Event, Jump, Notice, Position, State, StateChange
from follower.inference.base import Belief
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece
from follower.testing import assemble_piece
from follower.tracking.playing_state import TRANSITIONS
from follower.tracking.tracker import Tracker, TrackerConfig

HOP_S = 512 / 22050
RATE_HZ = 22050
MIX_S = 100.0
CUT = (60.0, 70.0)
"""The orchestra recording leaves out this part of the mix."""
REST = (30.0, 40.0)
"""Here the mix has no piano."""


def make_piece() -> Piece:
    """O runs 10 s behind the mix's clock after a cut; the piano rests once."""
    at = HOP_S * np.arange(int(MIX_S / HOP_S))
    mix_map = MixMap([0.0, 60.0, 60.0, 90.0], [0.0, CUT[0], CUT[1], MIX_S], np.ones(4))
    activity = np.where((at > REST[0]) & (at < REST[1]), 0.0, 1.0).astype(np.float32)
    return assemble_piece(mix_map, piano_activity=activity)


PIECE = make_piece()


@pytest.fixture
def piece() -> Piece:
    return PIECE


class Session:
    """Feeds one belief per hop and keeps what was reported."""

    def __init__(self, piece: Piece) -> None:
        self.tracker = Tracker(piece, RATE_HZ)
        self.hops = 0
        self.events: list[Event] = []

    @property
    def now_s(self) -> float:
        """Seconds fed so far."""
        return self.hops * HOP_S

    def feed(self, beliefs: Iterable[Belief]) -> Position:
        """Feed these; the newest position."""
        for belief in beliefs:
            self.hops += 1
            self.events.extend(self.tracker.update(belief, 512 * self.hops))
        return self.positions[-1]

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of a kind."""
        return [e for e in self.events if isinstance(e, kind)]

    @property
    def positions(self) -> list[Position]:
        """The positions reported."""
        return [e for e in self.events if isinstance(e, Position)]

    @property
    def changes(self) -> list[StateChange]:
        """The changes of the state."""
        return [e for e in self.events if isinstance(e, StateChange)]

    def orchestra(self) -> list[float]:
        """The known positions in the orchestra recording."""
        return [p.orchestra_time_s for p in self.positions if p.orchestra_time_s is not None]

    def states_since(self, begin_s: float) -> list[State]:
        """The states entered since an instant."""
        return [c.state for c in self.changes if c.audio_sample > begin_s * RATE_HZ + 1]

    def changed(self, state: State, begin_s: float, within_s: float) -> StateChange:
        """The change to a state that came so soon after an instant."""
        found = [c for c in self.changes if c.state is state and c.audio_sample > begin_s * RATE_HZ + 1]
        assert found, f"never {state}"
        assert found[0].audio_sample <= (begin_s + within_s) * RATE_HZ, f"{state} came late"
        return found[0]


@pytest.fixture
def session(piece: Piece) -> Session:
    return Session(piece)


def playing(
    start_s: float, seconds: float, rate: float = 1.0, concentration: float = 0.99999, margin: float = 2.0
) -> list[Belief]:
    n = round(seconds / HOP_S)
    return [Belief(start_s + rate * HOP_S * k, rate, concentration, 1.0, margin) for k in range(1, n + 1)]


def silent(at_s: float, seconds: float) -> list[Belief]:
    """The belief stands."""
    return [Belief(at_s, 0.0, 0.5, 0.0)] * round(seconds / HOP_S)


def unheard(start_s: float, seconds: float) -> list[Belief]:
    """The belief goes on in a silence."""
    return [replace(b, presence=0.0) for b in playing(start_s, seconds)]


UNHEARD = Belief(None, 1.0, 0.0, 0.0)


def test_nothing_is_estimated_before_anything_is_heard(session: Session) -> None:
    last = session.feed([UNHEARD] * 100)
    assert (last.orchestra_time_s, last.mix_time_s, last.state, last.confidence) == (None, None, State.WAITING, 0.0)
    assert not session.changes


def test_nothing_is_estimated_while_many_positions_fit(session: Session) -> None:
    assert session.feed(playing(10, 3, concentration=0.2)).orchestra_time_s is None


def test_it_follows_and_composes_with_the_map(session: Session) -> None:
    last = session.feed(playing(75, 5, rate=1.2))
    session.changed(State.FOLLOWING, 0.0, within_s=0.5)
    assert last.mix_time_s == pytest.approx(81, abs=0.1)
    assert last.orchestra_time_s == pytest.approx(71, abs=0.1)
    assert last.rate == pytest.approx(1.2, abs=0.1)
    assert [p.seq for p in session.positions] == list(range(session.hops))


def test_estimates_never_step_back_between_jumps(session: Session) -> None:
    rng = np.random.default_rng(0)
    session.feed(replace(b, mix_s=(b.mix_s or 0) + 0.1 * float(rng.standard_normal())) for b in playing(10, 8))
    assert np.all(np.diff(session.orchestra()) >= 0)
    assert not session.of(Jump)


def test_a_far_correction_is_a_jump(session: Session) -> None:
    session.feed(playing(10, 3))
    session.feed(playing(50, 1))
    (jump,) = session.of(Jump)
    assert jump.from_orchestra_s == pytest.approx(13, abs=0.2)
    assert jump.to_orchestra_s == pytest.approx(50, abs=0.2)
    assert jump.audio_sample <= 3.5 * RATE_HZ


def test_a_correction_that_is_small_in_the_orchestra_never_steps_back(session: Session) -> None:
    """Back into the cut: 1.8 s of the mix are .8 s of the orchestra. It waits."""
    at_s = session.feed(playing(CUT[1] - 2.2, 3)).orchestra_time_s
    back = session.feed(playing(CUT[1] - 1.0, 0.5))
    assert back.mix_time_s == pytest.approx(CUT[1] - 0.5, abs=0.1)
    assert back.orchestra_time_s == at_s
    assert not session.of(Jump)


@pytest.mark.parametrize(("concentration", "jumps"), [(0.2, 0), (0.6, 1), (0.95, 1)])
def test_a_belief_elsewhere_makes_a_jump_when_it_is_sure_or_stays(
    session: Session, concentration: float, jumps: int
) -> None:
    session.feed(playing(10, 3))
    last = session.feed(playing(50, 1.5, concentration=concentration))
    assert len(session.of(Jump)) == jumps
    assert last.mix_time_s == pytest.approx(51.5 if jumps else 14.5, abs=0.2)


def test_a_belief_that_is_away_for_a_moment_moves_nothing(session: Session) -> None:
    session.feed(playing(10, 3))
    session.feed(playing(50, 0.3, concentration=0.6))
    assert session.feed(playing(13.3, 1)).mix_time_s == pytest.approx(14.3, abs=0.1)
    assert not session.of(Jump)


def test_a_stop_where_the_mix_has_piano_is_a_pause(session: Session) -> None:
    session.feed(playing(5, 10))
    held = session.feed(silent(15, 2))
    assert session.changed(State.PAUSED, 10.0, within_s=1.5).previous is State.FOLLOWING
    assert held.rate == 0.0
    later = session.feed(silent(15, 40))
    assert (later.state, later.orchestra_time_s) == (State.PAUSED, held.orchestra_time_s)
    back_s = session.now_s
    again = session.feed(playing(15.2, 1.5))
    session.changed(State.FOLLOWING, back_s, within_s=0.5)
    assert again.mix_time_s == pytest.approx(16.7, abs=0.2)


def test_the_orchestra_brakes_where_the_piano_is_missing(session: Session) -> None:
    """Nobody knows yet whether it is a pause; it must not run far ahead, and it never goes back."""
    session.feed(playing(10, 5))
    braked = session.feed(unheard(15, 0.4))
    assert braked.state is State.FOLLOWING
    assert braked.rate < 0.2
    held = session.feed(unheard(15.4, 3))
    session.changed(State.PAUSED, 5.0, within_s=1.5)
    assert held.mix_time_s == pytest.approx(15.0, abs=0.3)
    assert session.feed(silent(15, 30)).orchestra_time_s == held.orchestra_time_s
    assert not session.of(Jump)


def test_a_short_silence_does_not_hold_the_orchestra_up(session: Session) -> None:
    session.feed(playing(10, 5))
    before = session.changes
    session.feed(unheard(15, 0.4))
    last = session.feed(playing(15.4, 0.4))
    assert last.mix_time_s == pytest.approx(15.8, abs=0.1)
    assert last.rate == pytest.approx(1.0, abs=0.2)
    assert session.changes == before
    assert not session.of(Jump)


def test_the_orchestra_does_not_brake_where_the_mix_has_no_piano(session: Session) -> None:
    session.feed(playing(25, 5))
    assert session.feed(unheard(30, 0.5)).mix_time_s == pytest.approx(30.5, abs=0.1)


@pytest.mark.parametrize("off_s", [-0.8, -0.3, 0.0, 0.4])
def test_the_orchestra_waits_for_a_piano_that_goes_on_further_back(session: Session, off_s: float) -> None:
    session.feed(playing(10, 5))
    session.feed(silent(15, 5))
    session.feed(playing(15 + off_s, 2))
    assert np.all(np.diff(session.orchestra()) >= 0)
    assert session.orchestra()[-1] == pytest.approx(17 + off_s, abs=0.1)
    assert not session.of(Jump)


def test_a_pause_ends_when_the_position_is_found_again(session: Session) -> None:
    """Not at the first sound: where belief ran on to meanwhile would be a step ahead and back."""
    session.feed(playing(10, 5))
    held = session.feed(silent(15, 5))
    unsure = session.feed(playing(16.5, 0.2, concentration=0.5))
    assert (unsure.state, unsure.orchestra_time_s) == (State.PAUSED, held.orchestra_time_s)
    found_s = session.now_s
    found = session.feed(playing(15.3, 0.5, concentration=0.9))
    session.changed(State.FOLLOWING, found_s, within_s=0.3)
    assert found.mix_time_s == pytest.approx(15.8, abs=0.2)


def test_a_pause_ends_though_the_position_stays_doubtful(session: Session) -> None:
    session.feed(playing(10, 5))
    session.feed(silent(15, 5))
    back_s = session.now_s
    assert session.feed(playing(17.2, 0.4, concentration=0.6)).state is State.PAUSED
    session.feed(playing(17.6, 1, concentration=0.6))
    assert session.states_since(back_s)[0] in (State.FOLLOWING, State.LOST)


def test_a_cough_does_not_end_a_pause(session: Session) -> None:
    session.feed(playing(10, 5))
    held = session.feed(silent(15, 5))
    session.feed(playing(40, 0.1, concentration=0.3))
    after = session.feed(silent(15, 5))
    assert (after.state, after.orchestra_time_s) == (State.PAUSED, held.orchestra_time_s)


def test_a_short_rest_of_the_mix_is_no_pause(piece: Piece) -> None:
    """The piano is silent just where the mix's piano is, and about to come in again."""
    activity = piece.piano_activity.copy()
    activity[round(20 / HOP_S) : round(21 / HOP_S)] = 0.0
    session = Session(replace(piece, piano_activity=activity))
    session.feed(playing(15, 5))
    session.feed(unheard(20, 1))
    last = session.feed(playing(21, 1))
    assert State.PAUSED not in {p.state for p in session.positions}
    assert last.mix_time_s == pytest.approx(22, abs=0.1)


def test_a_silence_where_the_mix_has_no_piano_lets_the_orchestra_lead(session: Session) -> None:
    session.feed(playing(25, 5, rate=0.8))
    session.feed(playing(29, 1))
    session.feed(unheard(30, 1))
    last = session.feed(silent(31, 6))
    session.changed(State.ORCHESTRA, 6.0, within_s=1.5)
    assert last.state is State.ORCHESTRA
    assert last.rate == pytest.approx(1.0, abs=0.1)
    assert last.orchestra_time_s == pytest.approx(37, abs=0.5)


def test_a_missed_entry_stops_the_orchestra(session: Session) -> None:
    session.feed(playing(25, 5))
    session.feed(silent(30, 15))
    assert [c.state for c in session.changes] == [State.FOLLOWING, State.ORCHESTRA, State.PAUSED]
    missed = session.changed(State.PAUSED, 15.0, within_s=4.0)  # at 15 s the mix's piano comes in
    assert "did not come in" in missed.reason
    held = session.positions[-1]
    assert held.orchestra_time_s is not None and REST[1] < held.orchestra_time_s < REST[1] + 4.0
    later = session.feed(silent(30, 40))
    assert (later.orchestra_time_s, later.rate) == (held.orchestra_time_s, 0.0)
    assert session.feed(playing(40.2, 1)).state is State.FOLLOWING


@pytest.mark.parametrize(("entry_lasts_s", "state"), [(10.0, State.PAUSED), (0.7, State.ORCHESTRA)])
def test_a_breath_that_becomes_a_pause_ends_at_the_entry(piece: Piece, entry_lasts_s: float, state: State) -> None:
    """The mix's piano breathes for two seconds; a single chord in a rest is no entry."""
    activity = piece.piano_activity.copy()
    activity[round(15 / HOP_S) : round(30 / HOP_S)] = 0.0
    activity[round(17 / HOP_S) : round((17 + entry_lasts_s) / HOP_S)] = 1.0
    session = Session(replace(piece, piano_activity=activity))
    session.feed(playing(10, 5))
    session.feed(unheard(15, 1))
    session.feed(silent(16, 2))
    session.changed(State.ORCHESTRA, 5.0, within_s=1.5)
    assert session.positions[-1].state is state


def test_a_cadenza_holds_the_orchestra_and_says_so(session: Session) -> None:
    last = session.feed(playing(58, 8))
    assert (last.orchestra_time_s, last.state, last.rate) == (CUT[0], State.FOLLOWING, 0.0)
    assert [c.state for c in session.changes] == [State.FOLLOWING]
    (notice,) = session.of(Notice)
    assert "cadenza" in notice.message
    assert notice.audio_sample == pytest.approx(2 * RATE_HZ, abs=0.3 * RATE_HZ)
    last = session.feed(playing(66, 6))
    assert last.orchestra_time_s == pytest.approx(62, abs=0.2)
    assert not session.of(Jump)


def test_playing_without_a_position_is_lost(session: Session) -> None:
    session.feed(playing(10, 3))
    session.feed(playing(13, 1, concentration=0.01, margin=0.0))
    assert session.changed(State.LOST, 3.0, within_s=0.5).reason == "what the piano plays fits several positions"
    session.feed(playing(14, 1))
    session.changed(State.FOLLOWING, 4.0, within_s=0.5)


def test_a_position_that_no_longer_fits_is_lost_however_sure_the_belief(session: Session) -> None:
    """The belief is slow to leave a position; the newest moments are not."""
    before = session.feed(playing(10, 5, rate=1.2, margin=3.0))
    lost = session.feed(playing(16, 0.6, rate=1.2, margin=-20.0))
    change = session.changed(State.LOST, 5.0, within_s=0.5)
    assert (change.previous, change.reason) == (State.FOLLOWING, "what the piano plays fits another position better")
    assert lost.confidence < 0.5 < before.confidence
    # It runs on: a player must not stop dead.
    assert lost.rate == pytest.approx(1.2, abs=0.1)
    assert lost.mix_time_s == pytest.approx(16.72, abs=0.2)
    session.feed(playing(16.72, 0.6, rate=1.2, margin=3.0))
    session.changed(State.FOLLOWING, 5.6, within_s=0.5)


def test_a_moment_that_fits_elsewhere_is_no_loss(session: Session) -> None:
    session.feed(playing(10, 5, margin=3.0))
    session.feed(playing(15, 0.1, margin=-20.0))
    session.feed(playing(15.1, 1, margin=3.0))
    assert [c.state for c in session.changes] == [State.FOLLOWING]


def test_a_first_guess_is_lost_until_the_music_confirms_it(session: Session) -> None:
    guess = session.feed(playing(10, 0.4, concentration=0.6, margin=-1.0))
    assert (guess.state, guess.mix_time_s is None) == (State.LOST, False)
    change = session.changed(State.LOST, 0.0, within_s=0.4)
    assert (change.previous, change.reason) == (State.WAITING, "a first guess at the piano's position")
    session.feed(playing(10.4, 2, margin=3.0))
    session.changed(State.FOLLOWING, 0.4, within_s=1.0)


def test_a_state_is_reported_when_it_changes_and_never_for_its_reason(session: Session) -> None:
    session.feed(playing(10, 3))
    session.feed(playing(13, 1, margin=-20.0))  # fits another position better
    session.feed(playing(14, 3, concentration=0.01, margin=0.0))  # then several
    session.feed(silent(17, 3))
    states = [c.state for c in session.changes]
    assert all(before is not after for before, after in pairwise(states))
    assert [c.previous for c in session.changes] == [State.WAITING, *states[:-1]]


def test_a_lost_position_stays_lost_over_a_short_silence(session: Session) -> None:
    session.feed(playing(10, 5))
    session.feed(playing(15, 0.6, margin=-20.0))
    assert session.feed(silent(15.6, 0.4)).state is State.LOST


def test_the_end_of_the_piece_and_of_the_stream(session: Session) -> None:
    session.feed(playing(94, 5.5))
    session.feed(silent(99.5, 2))
    session.changed(State.ENDED, 5.5, within_s=1.5)
    assert session.tracker.finish(0) == []
    session.tracker.reset()
    (change,) = session.tracker.finish(7)
    assert isinstance(change, StateChange)
    assert (change.state, change.audio_sample) == (State.ENDED, 7)


def test_audio_ahead_of_the_frame_is_made_up_for(piece: Piece) -> None:
    """The estimate is for the instant the audio was consumed, not for the end of the newest frame."""
    prompt, late = Tracker(piece, RATE_HZ), Tracker(piece, RATE_HZ)
    for k, belief in enumerate(playing(10, 3, rate=1.5)):
        a, b = prompt.update(belief, 512 * k)[-1], late.update(belief, 512 * k, behind_s=0.02)[-1]
    assert isinstance(a, Position)
    assert isinstance(b, Position)
    assert a.orchestra_time_s is not None
    assert b.orchestra_time_s == pytest.approx(a.orchestra_time_s + 0.03, abs=0.003)


def test_a_position_that_is_given_is_waited_at_until_the_piano_is_heard(session: Session) -> None:
    session.feed([UNHEARD] * 10)
    session.tracker.move_to(50.0)
    given = session.feed([UNHEARD] * 100)
    assert (given.mix_time_s, given.rate, given.state) == (50.0, 0.0, State.PAUSED)
    assert "was given" in session.changes[-1].reason
    assert given.confidence > 0.8
    session.feed(playing(50, 1.5))
    session.changed(State.FOLLOWING, 110 * HOP_S, within_s=0.3)
    assert session.positions[-1].mix_time_s == pytest.approx(51.5, abs=0.2)


def test_a_position_that_is_given_in_playing_is_no_loss(session: Session) -> None:
    session.feed(playing(10, 3))
    session.tracker.move_to(50.0)
    sought = [p.confidence for p in (session.feed([b]) for b in playing(50, 1, concentration=0.7))]
    assert min(sought) >= 0.5
    assert [c.state for c in session.changes] == [State.FOLLOWING]
    assert session.positions[-1].mix_time_s == pytest.approx(51, abs=0.2)


def test_confidence_rises_with_concentration_and_falls_when_the_belief_is_elsewhere(session: Session) -> None:
    low = session.feed(playing(20, 2, concentration=0.6)).confidence
    high = session.feed(playing(22, 2, concentration=0.9999)).confidence
    assert 0.5 <= low < 0.9 * high
    away = session.feed(playing(50, 0.3, concentration=0.7)).confidence
    assert away < 0.9 * high


def test_in_a_rest_confidence_is_that_of_the_last_note_and_fades_slowly(session: Session) -> None:
    before = session.feed(playing(25, 5, concentration=0.9999)).confidence
    session.feed(unheard(30, 1.5))
    led = [session.feed(unheard(31.5 + s, 1.0)) for s in range(7)]
    assert {p.state for p in led} == {State.ORCHESTRA}
    sure = [p.confidence for p in led]
    assert sure == sorted(sure, reverse=True)
    assert before > sure[0] and sure[-1] > 0.5 * before


def test_a_pause_becomes_surer_the_longer_it_lasts(session: Session) -> None:
    session.feed(playing(10, 5, concentration=0.9999))
    sure = [session.feed(silent(15, s)).confidence for s in (1.5, 5, 20)]
    assert sure == sorted(sure)
    assert sure[-1] > 0.9


def test_a_doubtful_map_lowers_confidence(piece: Piece) -> None:
    doubtful_map = MixMap(piece.map.orchestra_s, piece.map.mix_s, np.full(4, 0.5))
    plain, doubtful = Session(piece), Session(replace(piece, map=doubtful_map))
    beliefs = playing(20, 2)
    assert doubtful.feed(beliefs).confidence < plain.feed(beliefs).confidence


def test_a_command_holds_the_position_and_its_confidence(session: Session) -> None:
    before = session.feed(playing(10, 5))
    for _ in range(100):
        session.hops += 1
        session.events.extend(session.tracker.idle(512 * session.hops))
    held = session.positions[-1]
    assert (held.state, held.rate, held.mix_time_s) == (State.PAUSED, 0.0, before.mix_time_s)
    assert held.confidence == before.confidence
    assert [c.reason for c in session.changes][1:] == ["held by command"]


scripts = st.lists(
    st.tuples(
        st.sampled_from(("playing", "silent", "unheard", "nothing", "given", "idle")),
        st.floats(0, MIX_S),
        st.sampled_from((0.1, 0.5, 0.9, 3.0)),
        st.floats(0, 1),
        st.floats(-30, 30),
    ),
    max_size=12,
)


@given(scripts)
def test_whatever_is_believed_only_legal_transitions_are_reported(
    script: list[tuple[str, float, float, float, float]],
) -> None:
    session = Session(PIECE)
    for kind, at_s, seconds, concentration, margin in script:
        match kind:
            case "playing":
                session.feed(playing(at_s, seconds, 1.0, concentration, margin))
            case "silent":
                session.feed(silent(at_s, seconds))
            case "unheard":
                session.feed(unheard(at_s, seconds))
            case "nothing":
                session.feed([UNHEARD] * 5)
            case "given":
                session.tracker.move_to(at_s)
            case "idle":
                session.hops += 1
                session.events.extend(session.tracker.idle(512 * session.hops))
    state = State.WAITING
    for event in session.events:
        if isinstance(event, StateChange):
            assert event.previous is state
            assert event.state in TRANSITIONS[state]
            state = event.state
        elif isinstance(event, Position):
            assert event.state is state
            assert (event.mix_time_s is None) == (event.orchestra_time_s is None)
            assert event.state is not State.LOST or event.confidence < 0.5
            assert event.state is not State.FOLLOWING or event.confidence >= 0.5
            assert (event.state in (State.PAUSED, State.ENDED)) <= (event.rate == 0 or event.mix_time_s is None)


def test_reset_equals_fresh(session: Session) -> None:
    beliefs = [*playing(10, 3), *silent(13, 2), *playing(50, 2)]
    session.feed(beliefs)
    first, session.events, session.hops = session.events, [], 0
    session.tracker.reset()
    session.feed(beliefs)
    assert session.events == first


@pytest.mark.parametrize("field", ["first_above", "end_s"])
def test_impossible_constants_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        replace(TrackerConfig(), **{field: 0.0})  # type: ignore[arg-type]


def test_where_else_it_might_be_is_told_now_and_then_and_when_that_is_over(session: Session) -> None:
    def doubtful(start_s: float, seconds: float) -> list[Belief]:
        return [replace(b, elsewhere=(((b.mix_s or 0.0) + 68.0, 0.25),)) for b in playing(start_s, seconds)]

    session.feed(playing(2.0, 1.0))
    assert session.of(Elsewhere) == []
    session.feed(doubtful(3.0, 2.0))
    told = [e for e in session.events if isinstance(e, Elsewhere)]
    assert len(told) == 4, "at once, and then every half second"
    assert told[0].audio_sample == round(1.0 / HOP_S + 1) * 512
    # 71 s into the mix; the recording leaves out 10 s before that.
    assert told[0].places == ((pytest.approx(61.0, abs=2 * HOP_S), 0.25),)
    session.feed(playing(5.0, 1.0))
    told = [e for e in session.events if isinstance(e, Elsewhere)]
    assert [e.places for e in told[4:]] == [()], "once, when the doubt is over"


def test_before_there_is_a_position_there_is_none_elsewhere(session: Session) -> None:
    session.feed([replace(b, elsewhere=((50.0, 0.3),)) for b in playing(10, 1, concentration=0.2)])
    assert session.of(Elsewhere) == []
