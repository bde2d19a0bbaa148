"""From a frontier's belief about the mix to claims about the orchestra: position, rate, confidence, state."""

from __future__ import annotations

from dataclasses import dataclass

from follower.cache import Cache
from follower.config import JsonConfig, require
from follower.events import Event, Jump, Position, State, StateChange
from follower.frontier.base import Belief


@dataclass(frozen=True)
class TrackerConfig(JsonConfig):
    """The tracker's constants.

    Attributes:
        claim_above: confidence the first claim needs.
        lost_below: confidence below which the place counts as lost.
        lost_after_s: and for how long, while the piano sounds.
        jump_s: a correction larger than this (mix seconds) is a jump, not a drift.
        position_gain: share of the position error corrected per hop.
        rate_gain: share of the position error, per hop, that goes into the rate.
        rate_follow: share of the frontier's rate taken over per hop.
        silence: presence below which the piano counts as silent.
        paused_above: probability of standing still above which the pianist counts as having stopped.
        silent_after_s: silence after which the state says so.
    """

    claim_above: float = 0.5
    lost_below: float = 0.3
    lost_after_s: float = 1.0
    jump_s: float = 1.0
    position_gain: float = 0.3
    rate_gain: float = 0.02
    rate_follow: float = 0.05
    silence: float = 0.1
    paused_above: float = 0.5
    silent_after_s: float = 1.0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        for name in ("claim_above", "lost_below", "position_gain", "rate_gain", "rate_follow", "paused_above"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(self.jump_s > 0, "jump_s", self.jump_s, "more than 0")


class Tracker:
    """Smooths beliefs, composes them with the PO-O map and decides the state. Integer sample time, no clock."""

    def __init__(self, cache: Cache, sample_rate_hz: int, config: TrackerConfig | None = None) -> None:
        """`sample_rate_hz` is the live stream's rate, in which `audio_sample` counts."""
        self._config = config or TrackerConfig()
        self._map = cache.mix_map
        self._hop_s = cache.feature_config.hop_s
        self._mix_end_s = cache.mix_duration_s
        self._sample_rate_hz = sample_rate_hz
        self.reset()

    def reset(self) -> None:
        """Forget everything; the same as a fresh tracker."""
        self._seq = 0
        self._state = State.WAITING
        self._mix_s: float | None = None
        self._rate = 1.0
        self._orchestra_s: float | None = None
        self._silent_s = 0.0
        self._unsure_s = 0.0

    def push(self, belief: Belief, audio_sample: int, behind_s: float = 0.0) -> list[Event]:
        """Take the belief of one hop, which ended `behind_s` before `audio_sample`; return what to tell."""
        events: list[Event] = []
        self._silent_s = self._silent_s + self._hop_s if belief.presence < self._config.silence else 0.0
        jump = self._follow(belief)
        state, reason = self._decide(belief)
        if state is not self._state:
            events.append(StateChange(audio_sample, self._sample_rate_hz, state, self._state, reason))
            self._state = state
        orchestra_s, rate = None, 1.0
        if self._mix_s is not None:
            rate = self._rate * self._map.slope_at(self._mix_s)
            orchestra_s = self._map.to_orchestra(self._mix_s) + rate * behind_s
            before = self._orchestra_s
            if jump and before is not None:
                events.append(Jump(audio_sample, self._sample_rate_hz, before, orchestra_s))
            elif before is not None:
                orchestra_s = max(orchestra_s, before)
            self._orchestra_s = orchestra_s
        events.append(
            Position(
                self._seq,
                audio_sample,
                self._sample_rate_hz,
                orchestra_s,
                self._mix_s,
                rate,
                belief.concentration,
                self._state,
            )
        )
        self._seq += 1
        return events

    def _follow(self, belief: Belief) -> bool:
        """Move the smoothed place on; returns whether it jumped."""
        c = self._config
        if belief.mix_s is None:
            return False
        if self._mix_s is None:
            if belief.concentration >= c.claim_above:
                self._mix_s, self._rate = belief.mix_s, belief.rate
            return False
        expected = self._mix_s + self._rate * self._hop_s
        error = belief.mix_s - expected
        if abs(error) > c.jump_s:
            self._mix_s, self._rate = belief.mix_s, belief.rate
            return True
        self._mix_s = min(max(expected + c.position_gain * error, 0.0), self._mix_end_s)
        self._rate += c.rate_gain * error / self._hop_s
        self._rate = max(self._rate + c.rate_follow * (belief.rate - self._rate), 0.0)
        return False

    def _decide(self, belief: Belief) -> tuple[State, str]:
        """Name the state and say why."""
        c = self._config
        if self._mix_s is None:
            return State.WAITING, "nothing recognised yet"
        if self._silent_s >= c.silent_after_s:
            if belief.holding > c.paused_above:
                return State.PAUSED, "the piano stopped where the mix has piano"
            return State.ORCHESTRA, "the piano rests and the orchestra leads"
        if self._silent_s > 0 and self._state is not State.WAITING:
            return self._state, "silence too short to tell"
        self._unsure_s = self._unsure_s + self._hop_s if belief.concentration < c.lost_below else 0.0
        if self._unsure_s >= c.lost_after_s:
            return State.LOST, "the piano plays, but several places fit"
        if self._map.in_cut(self._mix_s):
            return State.FOLLOWING, "cadenza: the orchestra recording has a cut here and is held"
        return State.FOLLOWING, "the piano's place is known"

    def finish(self, audio_sample: int) -> list[Event]:
        """End of the stream."""
        if self._state is State.ENDED:
            return []
        change = StateChange(audio_sample, self._sample_rate_hz, State.ENDED, self._state, "the stream ended")
        self._state = State.ENDED
        return [change]
