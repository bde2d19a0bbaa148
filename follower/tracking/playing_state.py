"""What the pianist is doing: the one owner of waiting, following, cadenza, lost, rest, pause and end.

A reason belongs to one state, so that the two cannot contradict each other; a cadenza is a reason to be `following`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from follower.config import JsonConfig, require
from follower.events import State
from follower.tracking.piano_activity import MissedPiano, PianoActivity


class Reason(enum.Enum):
    """Why the pianist is taken to be in a state, as listeners read it."""

    NOTHING_HEARD = "nothing recognised yet"
    POSITION_KNOWN = "the piano's position is known"
    CADENZA = "cadenza: the orchestra recording has a cut here and waits"
    GUESS = "a first guess at the piano's position"
    ELSEWHERE = "what the piano plays fits another position better"
    SEVERAL = "what the piano plays fits several positions"
    RESTS = "the piano rests and the orchestra leads"
    STOPPED = "the piano stopped where the mix has piano"
    ENTRY_MISSED = "the piano did not come in where the mix has it"
    GIVEN = "the position was given; the orchestra waits for the piano"
    COMMANDED = "held by command"
    PIECE_OVER = "the end of the orchestra recording"
    STREAM_OVER = "the stream ended"


STATE_OF: Final[Mapping[Reason, State]] = MappingProxyType(
    {
        Reason.NOTHING_HEARD: State.WAITING,
        Reason.POSITION_KNOWN: State.FOLLOWING,
        Reason.CADENZA: State.FOLLOWING,
        Reason.GUESS: State.LOST,
        Reason.ELSEWHERE: State.LOST,
        Reason.SEVERAL: State.LOST,
        Reason.RESTS: State.ORCHESTRA,
        Reason.STOPPED: State.PAUSED,
        Reason.ENTRY_MISSED: State.PAUSED,
        Reason.GIVEN: State.PAUSED,
        Reason.COMMANDED: State.PAUSED,
        Reason.PIECE_OVER: State.ENDED,
        Reason.STREAM_OVER: State.ENDED,
    }
)
"""The state each reason belongs to."""

_ANY = frozenset(State)
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.WAITING: frozenset({State.FOLLOWING, State.LOST, State.PAUSED, State.ENDED}),
        State.FOLLOWING: _ANY - {State.FOLLOWING},
        State.LOST: _ANY - {State.LOST},
        State.ORCHESTRA: _ANY - {State.ORCHESTRA},
        State.PAUSED: _ANY - {State.PAUSED, State.ORCHESTRA},  # only the piano ends a pause
        State.ENDED: _ANY - {State.ENDED, State.ORCHESTRA},
    }
)
"""From each state, where it may go."""


@dataclass(frozen=True)
class StateConfig(JsonConfig):
    """When the state changes.

    Attributes:
        lost_below: log odds that the estimate is at the piano's position, below which it is lost; a first estimate at
            once. Where 1 % of good instants raise a false alarm: `python -m benchmarks.tracking.confidence_fit`.
        lost_after_s: seconds of playing in a row below `lost_below` until an estimate that was good is lost.
        found_above: log odds above which a lost position is found again.
        found_after_s: seconds of playing in a row above `found_above` until it is found again.
        decide_after_s: seconds of silence after which it is a rest, a pause or the end.
        return_above: concentration from which a piano that sounds again ends a pause.
        return_near_above: the same where the belief is near the position that was held.
        max_return_s: seconds of playing that end a pause, however doubtful the position.
    """

    lost_below: float = 0.75
    lost_after_s: float = 0.2
    found_above: float = 1.25
    found_after_s: float = 0.1
    decide_after_s: float = 0.7
    return_above: float = 0.75
    return_near_above: float = 0.4
    max_return_s: float = 0.8

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        for f in fields(self):
            if f.name.endswith("_s"):
                require(getattr(self, f.name) > 0, f.name, getattr(self, f.name), "more than 0")
        for name in ("return_above", "return_near_above"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(self.found_above > self.lost_below, "found_above", self.found_above, f"above {self.lost_below}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the pianist at a hop.

    Attributes:
        mix_s: estimated position (mix s); None while nothing is known.
        last_note_s: estimated position (mix s) when the piano sounded last; None before it has.
        new: whether the estimate begins at this hop.
        believed: whether the frontier believes in a position.
        on_track: log odds that the estimate is at the piano's position.
        fits_elsewhere: whether the newest moments fit another position better.
        concentration: 0..1, share of the belief near its mode.
        sounded_s: seconds since the last silence; 0 in one.
        silent_s: seconds since the piano sounded last; 0 while it sounds.
        held: whether the position is held in a pause.
        near: whether the belief is near the estimate.
        in_cut: whether the piano sounds where the orchestra recording leaves out what the mix has.
        at_end: whether the piano is silent at the end of the orchestra recording.
    """

    mix_s: float | None
    last_note_s: float | None
    new: bool
    believed: bool
    on_track: float
    fits_elsewhere: bool
    concentration: float
    sounded_s: float
    silent_s: float
    held: bool
    near: bool
    in_cut: bool
    at_end: bool


class PlayingState:
    """The state and its reason.

    Args:
        config: when the state changes.
        activity: where the mix has piano.
        hop_s: seconds per hop.

    Attributes:
        state: what the pianist is doing.
        reason: why the follower takes it to be so.

    Example:
        >>> playing = PlayingState(StateConfig(), PianoActivity([1.0] * 100, 0.1), 0.02)
        >>> playing.update(Facts(5.0, 5.0, False, True, 4.0, False, 0.9, 1.0, 0.0, False, True, False, False))
        >>> playing.state, playing.reason
        (<State.FOLLOWING: 'following'>, <Reason.POSITION_KNOWN: "the piano's position is known">)
    """

    def __init__(self, config: StateConfig, activity: PianoActivity, hop_s: float) -> None:
        self._config = config
        self._activity = activity
        self._missed = MissedPiano(activity, hop_s)
        self._hop_s = hop_s
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard."""
        self.reason = Reason.NOTHING_HEARD
        self.moved()
        self._lost_reason = Reason.GUESS
        self._missed.reset()

    @property
    def state(self) -> State:
        """What the pianist is doing."""
        return STATE_OF[self.reason]

    def moved(self) -> None:
        """The estimate jumped: what spoke against its old position no longer counts."""
        self._turned_s = 0.0

    def forget(self) -> None:
        """The estimate begins anew; the state stays until the music changes it."""
        self.moved()
        self._lost_reason = Reason.GUESS
        self._missed.reset()

    def give(self) -> None:
        """Somebody gives the position: an orchestra that stands waits there, one that plays goes on from there."""
        self.forget()
        if self.state in (State.WAITING, State.PAUSED, State.ENDED):
            self._enter(Reason.GIVEN)
        elif self.state is State.LOST:
            self._enter(Reason.POSITION_KNOWN)

    def command(self) -> None:
        """Listening is suspended."""
        self._enter(Reason.COMMANDED)

    def finish(self) -> None:
        """The stream is over."""
        if self.state is not State.ENDED:
            self._enter(Reason.STREAM_OVER)

    def update(self, facts: Facts) -> None:
        """Take a hop."""
        if facts.silent_s == 0:
            self._missed.reset()
        elif facts.mix_s is not None:
            self._missed.update(facts.silent_s, facts.mix_s)
        if facts.mix_s is None:
            self._enter(Reason.NOTHING_HEARD)
        elif not facts.believed:
            self._enter(Reason.GIVEN)
        elif facts.new or self.state is State.WAITING:
            known = facts.on_track > self._config.lost_below
            self._enter(_following(facts) if known else Reason.GUESS)
        elif facts.silent_s > 0:
            if facts.silent_s >= self._config.decide_after_s:
                self._explain_silence(facts)
        elif not facts.held or self._returned(facts):
            self._listen(facts)

    def _explain_silence(self, f: Facts) -> None:
        """Tell a rest from a stop; piano missed or the end of the recording ends a rest, only the piano a pause."""
        if self.state in (State.PAUSED, State.ENDED):
            return
        if f.at_end:
            self._enter(Reason.PIECE_OVER)
        elif self.state is State.ORCHESTRA:
            if self._missed.stopped:
                self._enter(Reason.ENTRY_MISSED)
        else:
            expected = f.last_note_s is not None and self._activity.expected(f.last_note_s)
            self._enter(Reason.STOPPED if expected or self._missed.stopped else Reason.RESTS)

    def _returned(self, f: Facts) -> bool:
        """Is the piano back after a pause, rather than a cough?"""
        c = self._config
        enough = c.return_near_above if f.near else c.return_above
        return f.concentration >= enough or f.sounded_s >= c.max_return_s

    def _listen(self, f: Facts) -> None:
        """The piano sounds: is its position known? Getting lost and being found take some evidence in a row."""
        c = self._config
        lost = self.state is State.LOST
        turned = f.on_track > c.found_above if lost else f.on_track < c.lost_below
        self._turned_s = self._turned_s + self._hop_s if turned else 0.0
        if self._turned_s >= (c.found_after_s if lost else c.lost_after_s):
            self._turned_s = 0.0
            lost = not lost
            self._lost_reason = Reason.ELSEWHERE if f.fits_elsewhere else Reason.SEVERAL
        self._enter(self._lost_reason if lost else _following(f))

    def _enter(self, reason: Reason) -> None:
        state = STATE_OF[reason]
        assert state is self.state or state in TRANSITIONS[self.state], f"no transition from {self.state} to {state}"
        self.reason = reason


def _following(f: Facts) -> Reason:
    return Reason.CADENZA if f.in_cut else Reason.POSITION_KNOWN
