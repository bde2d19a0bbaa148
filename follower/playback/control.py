"""Where and how fast the orchestra plays: the follower's positions in, one order per block out. No audio, no clock.

The player is slaved to the follower by rate feed-forward plus a bounded correction of the position, and the rate moves
at a bounded slope, so that no correction is audible as a step. Only events (start, hold, jump, end) act at once, and
each has its own fade. Everything aims at the instant at which the sound leaves the loudspeaker: the caller says when
that is for the point from which on a new rate acts, and the position is extrapolated to that instant.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from follower.errors import ConfigError
from follower.events import Position, State
from follower.playback.stretcher import MAX_RATE, MIN_RATE

STALE_S = 1.0
"""A position older than this is not extrapolated: the follower may have stopped."""


@dataclass(frozen=True)
class ControlConfig:
    """What the control loop may do.

    Attributes:
        rate_slope_per_s: maximum change of the rate, as a share of itself per second: 0.42 is 4.2 % in 100 ms.
        correction_s: time over which an error of the position is corrected.
        max_correction: maximum deviation of the rate from the follower's to correct an error.
        slack_s: errors of the position below this are left alone.
        jump_s: errors of the position above this are cut away with a cross-fade.
        rest_s: in a rest of the piano longer than this the orchestra leads at its own tempo.
        reentry_s: time after a long rest in which errors are not corrected yet: the follower finds the piano again.
        lead_jump_s: errors of the position above this are cut away while the orchestra leads.
        steady_s: time for which positions must have run steadily before one is used to start or to jump.
        steady_within_s: a position this close to the extrapolation of the one before is steady.
        min_confidence: minimum confidence of a position to start from or jump to.
        coast_s: time for which the orchestra plays on while the follower is lost or silent.
        event_rate_ratio: maximum ratio by which the rate changes at an entry or a jump.
        hold_rate: a reported rate below this, for `hold_s`, is a hold (the orchestra waits for a cadenza).
        hold_s: time after which a rate below `hold_rate` stops the orchestra.
        attack_wait_s: maximum wait of an entry for an attack of the recording to come in on.
        ending_s: when the stream ends within this time of the recording's end, the recording is played out.
    """

    rate_slope_per_s: float = 0.42
    correction_s: float = 0.5
    max_correction: float = 0.25
    slack_s: float = 0.005
    jump_s: float = 0.35
    rest_s: float = 1.5
    reentry_s: float = 0.7
    lead_jump_s: float = 3.0
    steady_s: float = 0.25
    steady_within_s: float = 0.1
    min_confidence: float = 0.5
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
    """Begin at the order's position."""
    JUMP = "jump"
    """Cross-fade to the order's position."""
    FADE = "fade"
    """Fade out and stop."""


@dataclass(frozen=True, slots=True)
class Order:
    """One block's order.

    Attributes:
        action: what to do.
        rate: recording seconds per live second.
        position_s: position in the recording that the block's first sample plays, for ENTER and JUMP; else NaN.
    """

    action: Action
    rate: float
    position_s: float = math.nan


@dataclass(frozen=True, slots=True)
class _Estimate:
    at_s: float
    position_s: float
    rate: float


class PlaybackControl:
    """The control loop of one session.

    Args:
        duration_s: length of the orchestra recording.
        attacks_s: sharp attacks of the recording, increasing (s); entries prefer them.
        config: bounds.

    Example:
        >>> from follower.events import Position, State
        >>> control = PlaybackControl(60.0, [], ControlConfig())
        >>> for k in range(12):
        ...     p = Position(k, k * 800, 32000, 5.0 + 0.025 * k, None, 1.0, 0.9, State.FOLLOWING)
        ...     control.on_position(p, p.audio_time_s)
        >>> order = control.silent_order(0.3)
        >>> order.action.value, round(order.position_s, 2)
        ('enter', 5.3)
    """

    def __init__(self, duration_s: float, attacks_s: Sequence[float], config: ControlConfig) -> None:
        self._duration_s = duration_s
        self._attacks_s = attacks_s
        self._config = config
        self._newest: _Estimate | None = None
        self._state = State.WAITING
        self._confidence = 0.0
        self._steady_since_s = math.inf
        self._off_since_s = math.inf
        self._slow_since_s = math.inf
        self._rest_since_s = math.inf
        self._led_until_s = -math.inf
        self._rate = 1.0
        self._played = False
        self._displaced = False
        self.limits: tuple[float, float] = (MIN_RATE, MAX_RATE)
        """Slowest and fastest rate that is played; replaced as a whole."""

    def take_over(self, rate: float) -> None:
        """The orchestra has begun without the follower, at this rate."""
        self._rate = rate
        self._played = True
        self._off_since_s = math.inf

    def displace(self) -> None:
        """The output itself has moved, not the pianist: the next order is to be right at once."""
        self._displaced = True

    @property
    def follows(self) -> bool:
        """Whether the pianist plays and is followed."""
        return self._state is State.FOLLOWING

    def on_position(self, position: Position, at_s: float) -> None:
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
        estimate = _Estimate(at_s, position.orchestra_time_s, position.rate)
        last = self._newest
        steps = last is None or abs(estimate.position_s - self._extrapolated(last, at_s)) > self._config.steady_within_s
        if steps or self._steady_since_s == math.inf:
            self._steady_since_s = at_s
        if previous_state is State.PAUSED and self._state is not State.PAUSED:
            self._steady_since_s = min(self._steady_since_s, at_s - self._config.steady_s / 2)
        self._slow_since_s = min(self._slow_since_s, at_s) if estimate.rate < self._config.hold_rate else math.inf
        self._newest = estimate

    def change_state(self, state: State) -> None:
        """Take a change of state that comes without a position, as at the end of the stream."""
        self._state = state

    def target_s(self, output_at_s: float) -> float:
        """Where the orchestra should stand at an instant (s); NaN while unknown."""
        return math.nan if self._newest is None else self._extrapolated(self._newest, output_at_s)

    def silent_order(self, output_at_s: float) -> Order:
        """Order for a block that sounds from `output_at_s` on, while nothing plays."""
        if not self._may_start(output_at_s):
            return Order(Action.PLAY, 1.0)
        target_s = self.target_s(output_at_s)
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
        self, output_at_s: float, committed_at_s: float, committed_position_s: float, block_s: float
    ) -> Order:
        """Order for a block of length `block_s` that sounds from `output_at_s` on, while the orchestra plays.

        A new rate acts from the instant `committed_at_s`, at which `committed_position_s` will sound.
        """
        c = self._config
        # Not the decided position: what is decided of the last notes has yet to be heard.
        heard_s = committed_position_s - self._rate * (committed_at_s - output_at_s)
        if self._plays_out(heard_s):
            self._approach(1.0, block_s)
            return Order(Action.PLAY, self._rate)
        if heard_s >= self._duration_s or self._stops(committed_at_s):
            return Order(Action.FADE, self._rate)
        if self._state is State.LOST or self._newest is None or self._silent_for_s(committed_at_s) > STALE_S:
            return Order(Action.PLAY, self._rate)
        error_s = self.target_s(committed_at_s) - committed_position_s
        if self._displaced:
            self._displaced = False
            target_s = self.target_s(output_at_s)
            if abs(error_s) > c.slack_s and 0.0 <= target_s < self._duration_s:
                return Order(Action.JUMP, self._rate, target_s)
        rests = self._state is State.ORCHESTRA
        leads = output_at_s - self._rest_since_s > c.rest_s or output_at_s < self._led_until_s
        # Who asked for another tempo than the pianist's waits for the orchestra, or is waited for.
        patient = rests or leads or self._newest.rate != self._within_limits(self._newest.rate)
        if abs(error_s) > (c.lead_jump_s if patient else c.jump_s):
            self._off_since_s = min(self._off_since_s, output_at_s)
            steady_s = output_at_s - max(self._steady_since_s, self._off_since_s)
            target_s = self.target_s(output_at_s)
            if steady_s >= c.steady_s and self._confidence >= c.min_confidence and 0 <= target_s < self._duration_s:
                self._rate = self._event_rate()
                self._off_since_s = math.inf
                return Order(Action.JUMP, self._rate, target_s)
        else:
            self._off_since_s = math.inf
        if rests or leads:
            # There is nobody to follow: a short rest keeps the tempo, in a long one the orchestra has its own.
            self._approach(1.0 if leads else self._wanted_rate(), block_s)
            return Order(Action.PLAY, self._rate)
        off_s = math.copysign(max(abs(error_s) - c.slack_s, 0.0), error_s)
        correction = max(-c.max_correction, min(c.max_correction, off_s / c.correction_s))
        self._approach(self._wanted_rate() + correction, block_s)
        return Order(Action.PLAY, self._rate)

    @property
    def rate(self) -> float:
        """Rate of the newest order."""
        return self._rate

    @staticmethod
    def _extrapolated(estimate: _Estimate, at_s: float) -> float:
        return estimate.position_s + estimate.rate * (at_s - estimate.at_s)

    def _wanted_rate(self) -> float:
        """The follower's rate, as far as it can be played."""
        return self._within_limits(1.0 if self._newest is None else self._newest.rate)

    def _within_limits(self, rate: float) -> float:
        slowest, fastest = self.limits
        return max(slowest, min(fastest, rate))

    def _event_rate(self) -> float:
        """Rate to begin with: right after a pause or a jump the follower's own is often far off."""
        wanted = self._wanted_rate()
        if not self._played:
            return wanted
        ratio = self._config.event_rate_ratio
        return max(self._rate / ratio, min(self._rate * ratio, wanted))

    def _approach(self, rate: float, block_s: float) -> None:
        step = self._config.rate_slope_per_s * block_s * self._rate
        rate = self._within_limits(rate)
        self._rate += max(-step, min(step, rate - self._rate))

    def _silent_for_s(self, at_s: float) -> float:
        return math.inf if self._newest is None else at_s - self._newest.at_s

    def _may_start(self, at_s: float) -> bool:
        c = self._config
        return (
            self._state in (State.FOLLOWING, State.ORCHESTRA)
            and self._confidence >= c.min_confidence
            and at_s - self._steady_since_s >= c.steady_s
            and self._silent_for_s(at_s) < STALE_S
            and self._slow_since_s == math.inf
        )

    def _plays_out(self, position_s: float) -> bool:
        left_s = self._duration_s - position_s
        return self._state is State.ENDED and 0.0 < left_s <= self._config.ending_s

    def _stops(self, at_s: float) -> bool:
        c = self._config
        if self._state in (State.PAUSED, State.ENDED, State.WAITING):
            return True
        if self._state is State.LOST or self._silent_for_s(at_s) > STALE_S:
            return self._silent_for_s(at_s) > c.coast_s
        return at_s - self._slow_since_s > c.hold_s
