"""What the pianist is doing: a small state machine, driven by the log odds of few hypotheses.

| hypothesis | log odds | says |
|---|---|---|
| the pianist has stopped | `follower.tracking.playing_odds` | `paused` |
| the piano rests here, as in the mix | the opposite of that, in a silence | `orchestra` |
| the piano plays elsewhere | the opposite of the position's, `follower.tracking.confidence` | `lost` |
| it plays on in a passage the orchestra recording leaves out | known from the map | `following` |
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

from follower.config import JsonConfig, require
from follower.events import State


class Reason(enum.StrEnum):
    """Why a state was entered, for people."""

    NOTHING_HEARD = "nothing recognised yet"
    POSITION_KNOWN = "the piano's position is known"
    CADENZA = "cadenza: the orchestra recording has a cut here and waits"
    GUESS = "a first guess at the piano's position"
    ELSEWHERE = "what the piano plays fits another position better"
    SEVERAL = "what the piano plays fits several positions"
    RESTS = "the piano rests and the orchestra leads"
    STOPPED = "the piano stopped where the mix has piano"
    MISSED_ENTRY = "the piano did not come in where the mix has it"
    STOPPED_IN_DOUBT = "the piano stopped while its position was in doubt"
    PUT = "the position was given; the orchestra waits for the piano"
    COMMANDED = "held by command"
    PIECE_OVER = "the end of the orchestra recording"
    STREAM_OVER = "the stream ended"


_HEARD = frozenset({State.FOLLOWING, State.LOST})
_ANY = frozenset(State)
TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.WAITING: _HEARD | {State.PAUSED, State.ENDED},
        State.FOLLOWING: _ANY - {State.FOLLOWING},
        State.LOST: _ANY - {State.LOST, State.ORCHESTRA},  # at a position in doubt no orchestra can lead
        State.ORCHESTRA: _ANY - {State.ORCHESTRA},
        State.PAUSED: _ANY - {State.PAUSED, State.ORCHESTRA},  # only the piano ends a pause
        State.ENDED: _HEARD | {State.WAITING, State.PAUSED},
    }
)
"""From each state, where it may go."""


@dataclass(frozen=True)
class StateConfig(JsonConfig):
    """When the state changes.

    Attributes:
        paused_above: log odds of a stop above which it is a pause,
        missed_above: and, once it was taken for a rest, a missed entry: who leads stops for good cause only.
        resting_below: log odds of a stop below which a silence is a rest,
        resting_after_s: after this long.
        doubt_pause_s: least silence for a pause at a position in doubt, where what the mix has says less.
        lost_below: log odds of the position below which it is lost: a first estimate at once,
        lost_after_s: any other after so much playing in a row,
        hopeless_below: or, below these log odds, at once.
        found_above: log odds above which it is found again,
        found_after_s: after so much playing in a row.
        return_share: concentration of a belief near the held position that ends a pause at once,
        return_anywhere: of a belief anywhere else,
        max_return_s: or so much playing.
        end_silence_s: a silence this long at the end of the orchestra recording ends the piece.
    """

    paused_above: float = 0.0
    missed_above: float = 1.0
    resting_below: float = -1.0
    resting_after_s: float = 0.7
    doubt_pause_s: float = 1.5
    lost_below: float = 1.2
    lost_after_s: float = 0.2
    hopeless_below: float = -3.0
    found_above: float = 1.7
    found_after_s: float = 0.1
    return_share: float = 0.35
    return_anywhere: float = 0.75
    max_return_s: float = 0.8
    end_silence_s: float = 0.7

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        for f in fields(self):
            if f.name.endswith("_s"):
                require(getattr(self, f.name) > 0, f.name, getattr(self, f.name), "more than 0")
        require(self.paused_above >= self.resting_below, "paused_above", self.paused_above, f">= {self.resting_below}")
        require(self.found_above > self.lost_below, "found_above", self.found_above, f"above {self.lost_below}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a hop tells about the pianist.

    Attributes:
        known: a position is estimated.
        stopped: log odds that the pianist has stopped, see `follower.tracking.playing_odds.stopped_odds`.
        on_track: log odds that the estimate is at the piano's position.
        rival: whether another position fits the newest moments better than the estimate.
        concentration: share of the belief near its mode.
        near: whether the belief's position is, up to a jump, that of the estimate or of the last note.
        silent_s: how long the piano has been silent; 0 while it sounds.
        sounded_s: how long it has sounded without a break.
        in_cut: the orchestra recording leaves out what the piano plays here.
        at_end: the estimate is at the end of the orchestra recording.
    """

    known: bool
    stopped: float
    on_track: float
    rival: bool
    concentration: float
    near: bool
    silent_s: float
    sounded_s: float
    in_cut: bool
    at_end: bool


class PlayingState:
    """The state and why it was entered.

    Args:
        config: when it changes.
        hop_s: seconds per hop.

    Example:
        >>> playing = PlayingState(StateConfig(), 0.02)
        >>> playing.update(Facts(True, -5.0, 4.0, False, 0.9, True, 0.0, 1.0, False, False))
        >>> playing.state, playing.reason
        (<State.FOLLOWING: 'following'>, <Reason.POSITION_KNOWN: "the piano's position is known">)
    """

    def __init__(self, config: StateConfig, hop_s: float) -> None:
        self._config = config
        self._hop_s = hop_s
        self.reset()

    def reset(self) -> None:
        """Nothing has been heard."""
        self.state = State.WAITING
        self.reason = Reason.NOTHING_HEARD
        self._turned_s = 0.0

    def enter(self, state: State, reason: Reason) -> None:
        """Change the state.

        Raises:
            ValueError: there is no such transition.
        """
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"no transition from {self.state} to {state}")
        self.state, self.reason = state, reason
        self._turned_s = 0.0

    def moved(self) -> None:
        """The estimate jumped: what spoke against its position before no longer counts."""
        self._turned_s = 0.0

    def update(self, facts: Facts) -> None:
        """Take a hop."""
        c = self._config
        if not facts.known:
            self.enter(State.WAITING, Reason.NOTHING_HEARD)
        elif facts.silent_s > 0:
            self._silence(facts)
        elif self.state is not State.PAUSED or self._returned(facts):
            self._listen(facts)
        if self.state is State.WAITING and facts.known:  # it fell silent as soon as it was known
            sure = facts.on_track >= c.lost_below
            self.enter(*((State.FOLLOWING, Reason.POSITION_KNOWN) if sure else (State.LOST, Reason.GUESS)))

    def _silence(self, f: Facts) -> None:
        """Tell a stop from a rest when the odds are clear."""
        c = self._config
        if self.state in (State.PAUSED, State.ENDED, State.WAITING):
            return
        if f.at_end:
            if f.silent_s >= c.end_silence_s:
                self.enter(State.ENDED, Reason.PIECE_OVER)
        elif self.state is State.LOST:
            if f.silent_s >= c.doubt_pause_s and f.stopped > c.paused_above:
                self.enter(State.PAUSED, Reason.STOPPED_IN_DOUBT)
        elif f.stopped > (c.missed_above if self.state is State.ORCHESTRA else c.paused_above):
            missed = self.state is State.ORCHESTRA
            self.enter(State.PAUSED, Reason.MISSED_ENTRY if missed else Reason.STOPPED)
        elif f.silent_s >= c.resting_after_s and f.stopped < c.resting_below:
            self.enter(State.ORCHESTRA, Reason.RESTS)

    def _returned(self, f: Facts) -> bool:
        """Is the piano back after a pause, rather than a cough?"""
        c = self._config
        needed = c.return_share if f.near else c.return_anywhere
        return f.concentration >= needed or f.sounded_s >= c.max_return_s

    def _listen(self, f: Facts) -> None:
        """The piano sounds: is its position known? Some evidence in a row is asked for, to get lost and to be found."""
        c = self._config
        lost = self.state is State.LOST
        turned = f.on_track >= c.found_above if lost else f.on_track < c.lost_below
        self._turned_s = self._turned_s + self._hop_s if turned else 0.0
        first = self.state is State.WAITING
        at_once = first or f.on_track < c.hopeless_below
        if turned and (at_once or self._turned_s >= (c.found_after_s if lost else c.lost_after_s)):
            lost = not lost
        if not lost:
            self.enter(State.FOLLOWING, Reason.CADENZA if f.in_cut else Reason.POSITION_KNOWN)
        else:
            self.enter(State.LOST, Reason.GUESS if first else Reason.ELSEWHERE if f.rival else Reason.SEVERAL)
