"""Where and how fast the orchestra plays: the follower's claims in, one order per block out. Pure: no audio, no clock.

The player is slaved to the follower by rate feed-forward plus a bounded correction of the place, and the rate moves at
a bounded slope, so that no correction is heard as a step. Only events (start, hold, jump, end) act at once, and each
has its own fade. Everything aims at the instant at which the sound leaves the loudspeaker: the caller says when that
is for the point from which on a new rate acts, and the claim is carried on to that instant.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from follower.errors import ConfigError
from follower.events import Position, State
from follower.playback.stretcher import FASTEST_RATE, SLOWEST_RATE

STALE_S = 1.0
"""A claim older than this is not carried on: the follower may have stopped."""


@dataclass(frozen=True)
class ControlConfig:
    """What the control loop may do.

    Attributes:
        rate_slope_per_s: most the rate may change, as a share of itself per second: 0.42 is 4.2 % in 100 ms.
        correction_s: an error of the place is corrected over about this time.
        largest_correction: most by which the rate may deviate from the follower's to correct an error.
        slack_s: errors below are left alone.
        jump_s: larger errors are cut away with a cross-fade.
        rest_s: a rest of the piano longer than this is the orchestra's: it leads at its own tempo.
        reentry_s: after it the follower gets so long to find the piano again before it is corrected after.
        lead_jump_s: while the orchestra leads only larger errors are cut away.
        steady_s: a claim is believed (to start or to jump) once it has run steadily for so long.
        steady_within_s: a claim this close to where the one before pointed is steady.
        least_confidence: of a claim to start from or jump to.
        coast_s: the orchestra plays on so long while the follower is lost or silent.
        event_rate_ratio: most by which the rate may change at an entry or a jump.
        hold_rate: a claimed rate below, for `hold_s`, is a hold (the orchestra waits for a cadenza).
        hold_s: see `hold_rate`.
        attack_wait_s: an entry waits so long for an attack to come in on.
        ending_s: within so much of the end the recording is played out.
    """

    rate_slope_per_s: float = 0.42
    correction_s: float = 0.5
    largest_correction: float = 0.25
    slack_s: float = 0.005
    jump_s: float = 0.35
    rest_s: float = 1.5
    reentry_s: float = 0.7
    lead_jump_s: float = 3.0
    steady_s: float = 0.25
    steady_within_s: float = 0.1
    least_confidence: float = 0.5
    coast_s: float = 3.0
    event_rate_ratio: float = 1.25
    hold_rate: float = 0.2
    hold_s: float = 0.6
    attack_wait_s: float = 0.15
    ending_s: float = 10.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} is {value:g}; it must be above 0")


class Action(enum.Enum):
    """What to do with the next block."""

    PLAY = "play"
    """Go on (or stay silent) at the order's rate."""
    ENTER = "enter"
    """Begin at the order's place."""
    JUMP = "jump"
    """Cross-fade to the order's place."""
    FADE = "fade"
    """Fade out and stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """One block's order. `place_s` (s in the recording) is for ENTER and JUMP: what the block's first sample plays."""

    action: Action
    rate: float
    place_s: float = math.nan


@dataclass(frozen=True, slots=True)
class _Claim:
    at_s: float
    place_s: float
    rate: float


class PlaybackControl:
    """The control loop of one session.

    Args:
        duration_s: length of the orchestra recording.
        attacks_s: its sharp attacks, increasing (s); entries prefer them.
        config: bounds.

    Example:
        >>> from follower.events import Position, State
        >>> control = PlaybackControl(60.0, [], ControlConfig())
        >>> for k in range(12):
        ...     p = Position(k, k * 800, 32000, 5.0 + 0.025 * k, None, 1.0, 0.9, State.FOLLOWING)
        ...     control.claim(p, p.audio_time_s)
        >>> order = control.silent_order(0.3)
        >>> order.action.value, round(order.place_s, 2)
        ('enter', 5.3)
    """

    def __init__(self, duration_s: float, attacks_s: Sequence[float], config: ControlConfig) -> None:
        self._duration_s = duration_s
        self._attacks_s = attacks_s
        self._config = config
        self._newest: _Claim | None = None
        self._state = State.WAITING
        self._confidence = 0.0
        self._steady_since_s = math.inf
        self._off_since_s = math.inf
        self._slow_since_s = math.inf
        self._rest_since_s = math.inf
        self._led_until_s = -math.inf
        self._rate = 1.0
        self._played = False

    def claim(self, position: Position, at_s: float) -> None:
        """Take the follower's newest position; `at_s` is its instant on the player's clock."""
        previous_state, self._state = self._state, position.state
        if position.state is State.ORCHESTRA:
            self._rest_since_s = min(self._rest_since_s, at_s)
        else:
            if at_s - self._rest_since_s > self._config.rest_s:
                self._led_until_s = at_s + self._config.reentry_s
            self._rest_since_s = math.inf
        self._confidence = position.confidence
        if position.orchestra_time_s is None or position.state in (State.LOST, State.WAITING):
            self._steady_since_s = math.inf
            return
        claim = _Claim(at_s, position.orchestra_time_s, position.rate)
        last = self._newest
        steps = last is None or abs(claim.place_s - self._carried(last, at_s)) > self._config.steady_within_s
        if steps or self._steady_since_s == math.inf:
            self._steady_since_s = at_s
        if previous_state is State.PAUSED and self._state is not State.PAUSED:
            self._steady_since_s = min(self._steady_since_s, at_s - self._config.steady_s / 2)
        self._slow_since_s = min(self._slow_since_s, at_s) if claim.rate < self._config.hold_rate else math.inf
        self._newest = claim

    def change_state(self, state: State) -> None:
        """Take a change of state that comes without a position, as at the end of the stream."""
        self._state = state

    def target_s(self, heard_at_s: float) -> float:
        """Where the orchestra should stand at an instant (s); NaN while unknown."""
        return math.nan if self._newest is None else self._carried(self._newest, heard_at_s)

    def silent_order(self, heard_at_s: float) -> Order:
        """Order for a block heard from `heard_at_s` on, while nothing plays."""
        if not self._may_start(heard_at_s):
            return Order(Action.PLAY, 1.0)
        target_s = self.target_s(heard_at_s)
        if not 0.0 <= target_s < self._duration_s:
            return Order(Action.PLAY, 1.0)
        k = bisect_left(self._attacks_s, target_s)
        rate = self._event_rate()
        if k < len(self._attacks_s) and 0.02 < self._attacks_s[k] - target_s < self._config.attack_wait_s * rate:
            return Order(Action.PLAY, 1.0)
        self._rate = rate
        self._played = True
        self._off_since_s = math.inf
        return Order(Action.ENTER, rate, target_s)

    def playing_order(
        self, heard_at_s: float, committed_at_s: float, committed_place_s: float, block_s: float
    ) -> Order:
        """Order for a block of length `block_s` heard from `heard_at_s` on, while the orchestra plays.

        A new rate acts from the instant `committed_at_s`, at which `committed_place_s` will be heard.
        """
        c = self._config
        if self._plays_out(committed_place_s):
            self._approach(1.0, block_s)
            return Order(Action.PLAY, self._rate)
        if committed_place_s >= self._duration_s or self._stops(committed_at_s):
            return Order(Action.FADE, self._rate)
        if self._state is State.LOST or self._newest is None or self._silent_for_s(committed_at_s) > STALE_S:
            return Order(Action.PLAY, self._rate)
        error_s = self.target_s(committed_at_s) - committed_place_s
        rests = self._state is State.ORCHESTRA
        leads = heard_at_s - self._rest_since_s > c.rest_s or heard_at_s < self._led_until_s
        if abs(error_s) > (c.lead_jump_s if rests or leads else c.jump_s):
            self._off_since_s = min(self._off_since_s, heard_at_s)
            steady_s = heard_at_s - max(self._steady_since_s, self._off_since_s)
            target_s = self.target_s(heard_at_s)
            if steady_s >= c.steady_s and self._confidence >= c.least_confidence and 0 <= target_s < self._duration_s:
                self._rate = self._event_rate()
                self._off_since_s = math.inf
                return Order(Action.JUMP, self._rate, target_s)
        else:
            self._off_since_s = math.inf
        if rests or leads:
            # Nobody is heard to follow: a short rest keeps the tempo, in a long one the orchestra has its own.
            self._approach(1.0 if leads else self._wanted_rate(), block_s)
            return Order(Action.PLAY, self._rate)
        off_s = math.copysign(max(abs(error_s) - c.slack_s, 0.0), error_s)
        correction = max(-c.largest_correction, min(c.largest_correction, off_s / c.correction_s))
        self._approach(self._wanted_rate() + correction, block_s)
        return Order(Action.PLAY, self._rate)

    @property
    def rate(self) -> float:
        """Rate of the newest order."""
        return self._rate

    @staticmethod
    def _carried(claim: _Claim, at_s: float) -> float:
        return claim.place_s + claim.rate * (at_s - claim.at_s)

    def _wanted_rate(self) -> float:
        """The follower's rate, as far as it can be played."""
        rate = 1.0 if self._newest is None else self._newest.rate
        return max(SLOWEST_RATE, min(FASTEST_RATE, rate))

    def _event_rate(self) -> float:
        """Rate to begin with: right after a pause or a jump the follower's own is often far off."""
        wanted = self._wanted_rate()
        if not self._played:
            return wanted
        most = self._config.event_rate_ratio
        return max(self._rate / most, min(self._rate * most, wanted))

    def _approach(self, rate: float, block_s: float) -> None:
        step = self._config.rate_slope_per_s * block_s * self._rate
        rate = max(SLOWEST_RATE, min(FASTEST_RATE, rate))
        self._rate += max(-step, min(step, rate - self._rate))

    def _silent_for_s(self, at_s: float) -> float:
        return math.inf if self._newest is None else at_s - self._newest.at_s

    def _may_start(self, at_s: float) -> bool:
        c = self._config
        return (
            self._state in (State.FOLLOWING, State.ORCHESTRA)
            and self._confidence >= c.least_confidence
            and at_s - self._steady_since_s >= c.steady_s
            and self._silent_for_s(at_s) < STALE_S
            and self._slow_since_s == math.inf
        )

    def _plays_out(self, place_s: float) -> bool:
        left_s = self._duration_s - place_s
        return self._state is State.ENDED and 0.0 < left_s <= self._config.ending_s

    def _stops(self, at_s: float) -> bool:
        c = self._config
        if self._state in (State.PAUSED, State.ENDED, State.WAITING):
            return True
        if self._state is State.LOST or self._silent_for_s(at_s) > STALE_S:
            return self._silent_for_s(at_s) > c.coast_s
        return at_s - self._slow_since_s > c.hold_s
