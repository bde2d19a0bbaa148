"""What the tracker reports, given beliefs made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from follower.errors import ConfigError
from follower.events import Event, Jump, Notice, Position, State, StateChange
from follower.inference.base import Belief
from follower.piece.mix_map import MixMap
from follower.piece.piece import Piece
from follower.testing import assemble_piece
from follower.tracking.tracker import Tracker, TrackerConfig

HOP_S = 512 / 22050
RATE_HZ = 22050
MIX_S = 100.0
CUT = (60.0, 70.0)
"""The orchestra recording leaves out this part of the mix."""
REST = (30.0, 40.0)
"""Here the mix has no piano."""


@pytest.fixture(scope="module")
def piece() -> Piece:
    """O runs 10 s behind the mix's clock at first, with a cut; the piano rests once."""
    n = int(MIX_S / HOP_S)
    at = HOP_S * np.arange(n)
    mix_map = MixMap([0.0, 60.0, 60.0, 90.0], [0.0, CUT[0], CUT[1], MIX_S], np.ones(4))
    activity = np.where((at > REST[0]) & (at < REST[1]), 0.0, 1.0).astype(np.float32)
    return assemble_piece(mix_map, piano_activity=activity)


class Session:
    """Feeds one belief per hop and keeps what was told."""

    def __init__(self, piece: Piece) -> None:
        self.tracker = Tracker(piece, RATE_HZ)
        self.hops = 0
        self.events: list[Event] = []

    def feed(self, beliefs: Iterable[Belief]) -> Position:
        for belief in beliefs:
            self.hops += 1
            self.events.extend(self.tracker.update(belief, 512 * self.hops))
        last = self.events[-1]
        assert isinstance(last, Position)
        return last

    def of(self, kind: type[Event]) -> list[Event]:
        return [e for e in self.events if isinstance(e, kind)]


@pytest.fixture
def session(piece: Piece) -> Session:
    return Session(piece)


def playing(
    start_s: float, seconds: float, rate: float = 1.0, concentration: float = 0.99, margin: float = 0.0
) -> list[Belief]:
    n = round(seconds / HOP_S)
    return [Belief(start_s + rate * HOP_S * k, rate, concentration, 1.0, margin) for k in range(1, n + 1)]


def silent(at_s: float, seconds: float) -> list[Belief]:
    return [Belief(at_s, 0.0, 0.5, 0.0)] * round(seconds / HOP_S)


UNHEARD = Belief(None, 1.0, 0.0, 0.0)


def test_nothing_is_claimed_before_anything_is_heard(session: Session) -> None:
    last = session.feed([UNHEARD] * 100)
    assert (last.orchestra_time_s, last.mix_time_s, last.state) == (None, None, State.WAITING)
    assert not session.of(StateChange)


def test_nothing_is_claimed_while_many_places_fit(session: Session) -> None:
    assert session.feed(playing(10, 3, concentration=0.2)).orchestra_time_s is None


def test_it_follows_and_composes_with_the_map(session: Session) -> None:
    last = session.feed(playing(75, 5, rate=1.2))
    assert last.state is State.FOLLOWING
    assert last.mix_time_s == pytest.approx(81, abs=0.02)
    assert last.orchestra_time_s == pytest.approx(71, abs=0.02)
    assert last.rate == pytest.approx(1.2, abs=0.02)
    assert [e.seq for e in session.of(Position)] == list(range(session.hops))  # type: ignore[attr-defined]


def test_claims_never_step_back_between_jumps(session: Session) -> None:
    rng = np.random.default_rng(0)
    noisy = [Belief((b.mix_s or 0) + 0.1 * float(rng.standard_normal()), 1.0, 0.99, 1.0) for b in playing(10, 8)]
    session.feed(noisy)
    claims = [e.orchestra_time_s for e in session.of(Position) if e.orchestra_time_s is not None]  # type: ignore[attr-defined]
    assert np.all(np.diff(claims) >= 0)
    assert not session.of(Jump)


def test_a_far_correction_is_a_jump(session: Session) -> None:
    session.feed(playing(10, 3))
    session.feed(playing(50, 1))
    (jump,) = session.of(Jump)
    assert isinstance(jump, Jump)
    assert jump.from_orchestra_s == pytest.approx(13, abs=0.1)
    assert jump.to_orchestra_s == pytest.approx(50, abs=0.1)


def test_a_correction_that_is_small_in_the_orchestra_never_steps_back(session: Session) -> None:
    """Back into the cut: 1.8 s of the mix are .8 s of the orchestra. It waits."""
    at = session.feed(playing(CUT[1] - 2.2, 3)).orchestra_time_s
    assert at == pytest.approx(60.8, abs=0.05)
    back = session.feed(playing(CUT[1] - 1.0, 0.5))
    assert back.mix_time_s == pytest.approx(CUT[1] - 0.5, abs=0.05)
    assert back.orchestra_time_s == at
    assert not session.of(Jump)


def test_a_doubtful_jump_waits(session: Session) -> None:
    session.feed(playing(10, 3))
    last = session.feed(playing(50, 0.45, concentration=0.6))
    assert last.mix_time_s == pytest.approx(13.45, abs=0.1)
    assert not session.of(Jump)


def test_a_doubtful_jump_that_persists_is_made(session: Session) -> None:
    session.feed(playing(10, 3))
    last = session.feed(playing(50, 0.6, concentration=0.6))
    assert last.mix_time_s == pytest.approx(50.6, abs=0.1)
    assert len(session.of(Jump)) == 1


def test_a_faint_belief_elsewhere_never_jumps(session: Session) -> None:
    session.feed(playing(10, 3))
    last = session.feed(playing(50, 2, concentration=0.33))
    assert last.mix_time_s == pytest.approx(15, abs=0.1)
    assert not session.of(Jump)


def test_confidence_drops_when_the_belief_is_elsewhere(session: Session) -> None:
    before = session.feed(playing(10, 5)).confidence
    assert session.feed(playing(50, 0.1, concentration=0.7)).confidence < 0.65 * before


def test_a_new_claim_earns_its_confidence(session: Session) -> None:
    first = session.feed(playing(10, 0.5)).confidence
    settled = session.feed(playing(10.5, 5)).confidence
    jumped = session.feed(playing(50, 0.3)).confidence
    assert first < settled - 0.02
    assert jumped < settled - 0.02


def test_a_mix_in_which_the_piano_is_never_told_apart_announces_no_rest(piece: Piece) -> None:
    """With the activity low while the piano played, its being low afterwards means nothing."""
    faint = replace(piece, piano_activity=np.full_like(piece.piano_activity, 0.2))
    session = Session(faint)
    session.feed(playing(10.0, 5.0))
    assert session.feed(silent(15.0, 3.0)).state is State.PAUSED


def test_a_stop_where_the_mix_has_piano_is_a_pause(session: Session) -> None:
    session.feed(playing(10, 5))
    held = session.feed(silent(15, 1.5))
    assert (held.state, held.rate) == (State.PAUSED, 0.0)
    later = session.feed(silent(15, 40))
    assert later.state is State.PAUSED
    assert later.orchestra_time_s == held.orchestra_time_s
    again = session.feed(playing(15.2, 0.5))
    assert again.state is State.FOLLOWING
    assert again.mix_time_s == pytest.approx(15.7, abs=0.3)


def test_the_orchestra_brakes_where_the_piano_is_missing(session: Session) -> None:
    """Nobody knows yet whether it is a pause; it must not run far ahead, and it never goes back."""
    session.feed(playing(10, 5))
    braked = session.feed(replace(b, presence=0.0) for b in playing(15, 0.4))
    assert (braked.state, braked.rate) == (State.FOLLOWING, pytest.approx(0.0, abs=0.02))
    held = session.feed(replace(b, presence=0.0) for b in playing(15.4, 3))
    assert held.state is State.PAUSED
    assert held.mix_time_s == pytest.approx(15.15, abs=0.05)
    assert session.feed(silent(15, 30)).orchestra_time_s == held.orchestra_time_s
    assert not session.of(Jump)


def test_a_short_silence_does_not_hold_the_orchestra_up(session: Session) -> None:
    session.feed(playing(10, 5))
    session.feed(replace(b, presence=0.0) for b in playing(15, 0.4))
    last = session.feed(playing(15.4, 0.2))
    assert last.mix_time_s == pytest.approx(15.6, abs=0.05)
    assert last.rate == pytest.approx(1.0, abs=0.1)
    assert not session.of(Jump)


def test_the_orchestra_does_not_brake_where_the_mix_has_no_piano(session: Session) -> None:
    session.feed(playing(25, 5))
    last = session.feed(replace(b, presence=0.0) for b in playing(30, 0.5))
    assert last.mix_time_s == pytest.approx(30.5, abs=0.05)


@pytest.mark.parametrize("off_s", [-0.9, -0.3, 0.0, 0.4])
def test_the_orchestra_waits_for_a_piano_that_goes_on_further_back(session: Session, off_s: float) -> None:
    session.feed(playing(10, 5))
    session.feed(silent(15, 5))
    session.feed(playing(15 + off_s, 2))
    claims = [e.orchestra_time_s for e in session.of(Position) if e.orchestra_time_s is not None]  # type: ignore[attr-defined]
    assert np.all(np.diff(claims) >= 0)
    assert claims[-1] == pytest.approx(17 + off_s, abs=0.05)
    assert not session.of(Jump)


def test_a_pause_ends_when_the_place_is_found_again(session: Session) -> None:
    """Not at the first sound: where belief ran on to meanwhile would be a step ahead and back."""
    session.feed(playing(10, 5))
    held = session.feed(silent(15, 5))
    unsure = session.feed(playing(16.5, 0.2, concentration=0.5))
    assert (unsure.state, unsure.orchestra_time_s) == (State.PAUSED, held.orchestra_time_s)
    found = session.feed(playing(15.3, 4 * HOP_S, concentration=0.9))
    assert found.mix_time_s == pytest.approx(15.3 + 4 * HOP_S, abs=0.02)
    assert found.state is State.FOLLOWING


def test_a_pause_ends_though_the_place_stays_doubtful(session: Session) -> None:
    session.feed(playing(10, 5))
    session.feed(silent(15, 5))
    assert session.feed(playing(15.2, 0.6, concentration=0.6)).state is State.PAUSED
    assert session.feed(playing(15.8, 0.4, concentration=0.6)).state is not State.PAUSED


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
    session.feed(replace(b, presence=0.0) for b in playing(20, 1))
    last = session.feed(playing(21, 1))
    assert State.PAUSED not in {e.state for e in session.of(Position)}  # type: ignore[attr-defined]
    assert last.mix_time_s == pytest.approx(22, abs=0.05)


def test_a_silence_where_the_mix_has_no_piano_lets_the_orchestra_lead(session: Session) -> None:
    session.feed(playing(25, 5, rate=0.8))
    session.feed(playing(29, 1))
    session.feed(replace(b, presence=0.0) for b in playing(30, 1))
    last = session.feed(silent(31, 6))
    assert last.state is State.ORCHESTRA
    assert last.rate == pytest.approx(1.0, abs=0.02)
    assert last.orchestra_time_s == pytest.approx(37, abs=0.3)


def test_a_missed_entry_stops_the_orchestra(session: Session) -> None:
    session.feed(playing(25, 5))
    led = session.feed(silent(30, 11))
    assert led.state is State.ORCHESTRA
    held = session.feed(silent(30, 4))
    assert (held.state, held.rate) == (State.PAUSED, 0.0)
    assert held.orchestra_time_s is not None and REST[1] < held.orchestra_time_s < REST[1] + 4.0
    later = session.feed(silent(30, 40))
    assert later.orchestra_time_s == held.orchestra_time_s
    assert session.feed(playing(40.2, 1)).state is State.FOLLOWING


@pytest.mark.parametrize(("entry_lasts_s", "state"), [(10.0, State.PAUSED), (0.7, State.ORCHESTRA)])
def test_a_breath_that_becomes_a_pause_ends_at_the_entry(piece: Piece, entry_lasts_s: float, state: State) -> None:
    """The mix's piano breathes for two seconds; a single chord in a rest is no entry."""
    activity = piece.piano_activity.copy()
    activity[round(15 / HOP_S) : round(30 / HOP_S)] = 0.0
    activity[round(17 / HOP_S) : round((17 + entry_lasts_s) / HOP_S)] = 1.0
    session = Session(replace(piece, piano_activity=activity))
    session.feed(playing(10, 5))
    session.feed(replace(b, presence=0.0) for b in playing(15, 1))
    assert session.feed(silent(16, 0.8)).state is State.ORCHESTRA
    assert session.feed(silent(16, 0.8)).state is state


def test_a_short_silence_changes_nothing(session: Session) -> None:
    session.feed(playing(10, 5))
    before = session.of(StateChange)
    session.feed(silent(15, 0.4))
    assert session.feed(playing(15.4, 1)).state is State.FOLLOWING
    assert session.of(StateChange) == before


def test_a_cadenza_holds_the_orchestra_and_says_so(session: Session) -> None:
    last = session.feed(playing(58, 8))
    assert (last.orchestra_time_s, last.state) == (60.0, State.FOLLOWING)
    assert last.rate == 0
    (notice,) = session.of(Notice)
    assert "cadenza" in notice.message
    last = session.feed(playing(66, 6))
    assert last.orchestra_time_s == pytest.approx(62, abs=0.1)
    assert not session.of(Jump)


def test_playing_without_a_place_is_lost(session: Session) -> None:
    session.feed(playing(10, 3))
    assert session.feed(playing(13, 1, concentration=0.05)).state is State.LOST
    assert _last_change(session).reason == "what the piano plays fits several positions"
    assert session.feed(playing(14, 1)).state is State.FOLLOWING


def _last_change(session: Session) -> StateChange:
    change = session.of(StateChange)[-1]
    assert isinstance(change, StateChange)
    return change


def test_a_place_that_no_longer_fits_is_lost_however_sure_the_belief(session: Session) -> None:
    """The belief is slow to leave a place; the newest moments are not."""
    before = session.feed(playing(10, 5, rate=1.2, margin=3.0))
    lost = session.feed(playing(16, 0.4, rate=1.2, margin=-9.0))
    assert lost.state is State.LOST
    assert (_last_change(session).previous, _last_change(session).reason) == (
        State.FOLLOWING,
        "what the piano plays fits another position better",
    )
    assert lost.confidence < 0.5 * before.confidence
    # It runs on: a player must not stop dead.
    assert lost.rate == pytest.approx(1.2, abs=0.05)
    assert lost.mix_time_s == pytest.approx(16.48, abs=0.1)
    assert session.feed(playing(16.48, 0.4, rate=1.2, margin=3.0)).state is State.FOLLOWING


def test_a_moment_that_fits_elsewhere_is_no_loss(session: Session) -> None:
    session.feed(playing(10, 5, margin=3.0))
    session.feed(playing(15, 0.1, margin=-9.0))
    session.feed(playing(15.1, 1, margin=3.0))
    assert {e.state for e in session.of(StateChange)} == {State.FOLLOWING}  # type: ignore[attr-defined]


def test_a_first_guess_is_lost_until_the_music_confirms_it(session: Session) -> None:
    guess = session.feed(playing(10, 0.5, concentration=0.6))
    assert (guess.state, guess.mix_time_s is None) == (State.LOST, False)
    assert _last_change(session).previous is State.WAITING
    assert session.feed(playing(10.5, 1, margin=3.0)).state is State.FOLLOWING


def test_a_lost_place_stays_lost_over_a_short_silence(session: Session) -> None:
    session.feed(playing(10, 5))
    session.feed(playing(15, 0.5, margin=-9.0))
    assert session.feed(silent(15.5, 0.4)).state is State.LOST


def test_the_end_of_the_piece_and_of_the_stream(session: Session) -> None:
    session.feed(playing(94, 5.5))
    assert session.feed(silent(99.5, 2)).state is State.ENDED
    assert session.tracker.finish(0) == []
    session.tracker.reset()
    (change,) = session.tracker.finish(7)
    assert isinstance(change, StateChange)
    assert (change.state, change.audio_sample) == (State.ENDED, 7)


def test_audio_ahead_of_the_frame_is_made_up_for(piece: Piece) -> None:
    """The claim is for the instant the audio was consumed, not for the end of the newest frame."""
    prompt, late = Tracker(piece, RATE_HZ), Tracker(piece, RATE_HZ)
    for k, belief in enumerate(playing(10, 3, rate=1.5)):
        a, b = prompt.update(belief, 512 * k)[-1], late.update(belief, 512 * k, behind_s=0.02)[-1]
    assert isinstance(a, Position)
    assert isinstance(b, Position)
    assert a.orchestra_time_s is not None
    assert b.orchestra_time_s == pytest.approx(a.orchestra_time_s + 0.03, abs=0.002)


def test_a_place_given_is_claimed_until_the_piano_tells(session: Session) -> None:
    session.feed(playing(10, 3))
    session.tracker.move_to(50.0)
    last = session.feed(silent(50, 0.3))
    assert (last.mix_time_s, last.rate) == (50.0, 0.0)
    assert session.feed(playing(50, 1)).mix_time_s == pytest.approx(51, abs=0.1)


def test_confidence_rises_with_concentration_and_falls_in_a_silence(session: Session) -> None:
    low = session.feed(playing(20, 2, concentration=0.8)).confidence
    high = session.feed(playing(22, 2, concentration=0.9999)).confidence
    assert 0.3 < low < 0.8 < high < 1
    assert session.feed(silent(24, 0.3)).confidence < high - 0.05
    assert session.feed(silent(24, 2)).confidence < 0.6
    assert session.feed(playing(24.3, 0.2, concentration=0.9999)).confidence == pytest.approx(high, abs=0.03)


def test_a_doubtful_map_lowers_confidence(piece: Piece) -> None:
    doubtful_map = MixMap(piece.map.orchestra_s, piece.map.mix_s, np.full(4, 0.5))
    plain, doubtful = Session(piece), Session(replace(piece, map=doubtful_map))
    beliefs = playing(20, 2)
    assert doubtful.feed(beliefs).confidence < 0.7 * plain.feed(beliefs).confidence


def test_reset_equals_fresh(piece: Piece) -> None:
    session = Session(piece)
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
