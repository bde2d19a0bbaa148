"""From a frontier's belief about the mix to estimates about the orchestra: position, rate, confidence, state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Final

import numpy as np

from follower.config import JsonConfig, require
from follower.events import Event, Jump, Position, State, StateChange
from follower.inference.base import Belief, Guidance
from follower.piece.piece import Piece
from follower.tracking.confidence import (
    NO_EVIDENCE,
    Evidence,
    confidence,
    log10_odds,
    on_track_log_odds,
    probability,
)
from follower.tracking.playing_odds import SILENCE, STOP_BIAS, Listening, PlayingOdds, Sections
from follower.tracking.playing_state import Facts, PlayingState, Reason, StateConfig
from follower.tracking.position_loop import LoopConfig, PositionLoop

BREATH_S: Final = 1.5
"""A silence up to so long may be a gap in the playing; the longer it is, the less likely that becomes."""
NOT_STOPPED: Final = PlayingOdds(STOP_BIAS, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class TrackerConfig(JsonConfig):
    """The tracker's constants.

    Attributes:
        loop: see `LoopConfig`.
        state: see `StateConfig`.
        estimate_above: concentration the first estimate needs.
        estimate_after_s: playing time the first estimate needs.
        jump_s: a correction larger than this (in mix and in orchestra seconds) is a jump; a smaller one never goes
            back, the orchestra waits instead.
        jump_above: concentration a jump needs at once; below it the estimate runs on at its rate,
        persist_s: but after this long away from the belief
        persist_above: this concentration is enough.
        hold_nats: doubt whether the piano still plays, at which the orchestra has come to a stand (before it is clear
            whether this is a pause).
        correct_s: time constant, of playing, of the mean correction.
        end_s: a silence this close to the end of the orchestra recording ends the piece.
    """

    loop: LoopConfig = field(default_factory=LoopConfig)
    state: StateConfig = field(default_factory=StateConfig)
    estimate_above: float = 0.5
    estimate_after_s: float = 0.1
    jump_s: float = 1.0
    jump_above: float = 0.75
    persist_s: float = 0.5
    persist_above: float = 0.35
    hold_nats: float = 3.0
    correct_s: float = 1.0
    end_s: float = 1.0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        for f in fields(self):
            if f.name.endswith("_above"):
                require(0 < getattr(self, f.name) < 1, f.name, getattr(self, f.name), "between 0 and 1")
            if f.name.endswith("_s"):
                require(getattr(self, f.name) > 0, f.name, getattr(self, f.name), "more than 0")


class Tracker:
    """Composes listening, state, position and confidence with the PO-O map. Integer sample time, no clock.

    Attributes:
        listening: weighs the silences.
    """

    def __init__(self, piece: Piece, sample_rate_hz: int, config: TrackerConfig | None = None) -> None:
        """`sample_rate_hz` is the live stream's rate, in which `audio_sample` counts."""
        self._config = config or TrackerConfig()
        self._map = piece.map
        self._hop_s = piece.feature_config.hop_s
        self._orchestra_end_s = piece.orchestra_duration_s
        self._sample_rate_hz = sample_rate_hz
        self._loop = PositionLoop(self._config.loop, self._hop_s, piece.mix_duration_s)
        activity = piece.piano_activity.astype(np.float64)
        self.listening = Listening(Sections(activity, self._hop_s), self._hop_s)
        self._playing = PlayingState(self._config.state, self._hop_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the same as a fresh tracker."""
        self._seq = 0
        self._playing.reset()
        self._told = State.WAITING
        self._put_s: float | None = None
        self._expected_s: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._known = False
        self._orchestra_s: float | None = None
        self._heard_s = 0.0
        self._sounded_s = 0.0
        self._silent_s = 0.0
        self._told_at_s = -math.inf
        self._away_s = 0.0
        self._evidence = NO_EVIDENCE
        self._odds = NOT_STOPPED
        self.listening.move_to(0.0)

    @property
    def guidance(self) -> Guidance | None:
        """What the frontier goes along with in a silence; None while nothing is known."""
        if not self._known:
            return None
        unheard_s = max(self._loop.mix_s - self.listening.heard_s, 0.0)
        stopped = 0.0
        if self._told is State.PAUSED:  # a rest that is longer than a breath would be one in the mix
            played_on = probability(-self._odds.stopped) * math.exp(-max(self._silent_s - BREATH_S, 0.0) / BREATH_S)
            stopped = 1.0 - played_on
        ahead_s = max(self._odds.position_s - self.listening.heard_s, 0.0)
        return Guidance(self._loop.mix_s, self._loop.rate, unheard_s, self._told is State.ORCHESTRA, stopped, ahead_s)

    @property
    def mix_s(self) -> float | None:
        """Newest estimate (mix seconds); None while unknown."""
        return self._loop.mix_s if self._known else None

    @property
    def evidence(self) -> Evidence:
        """What speaks for the newest estimate."""
        return self._evidence

    def expect(self, mix_s: float) -> None:
        """The piano is said to begin near this position of the mix (s); nothing is estimated before it does."""
        self._expected_s = mix_s

    def move_to(self, mix_s: float) -> None:
        """Estimate this position of the mix (s) until the piano tells otherwise."""
        self._put_s = mix_s
        self._clear()
        self._put()

    def _put(self) -> None:
        """Estimate the position that was given."""
        if self._put_s is not None:
            self._loop.move_to(self._put_s, 1.0)
            self.listening.move_to(self._put_s)
            self._known, self._told_at_s = True, 0.0
            self._evidence = replace(NO_EVIDENCE, told_s=0.0)
            self._playing.enter(State.PAUSED, Reason.PUT)

    def update(self, belief: Belief, audio_sample: int, behind_s: float = 0.0) -> list[Event]:
        """Take the belief of one hop, which ended `behind_s` before `audio_sample`; return what to tell."""
        self._listen(belief)
        if belief.mix_s is None and self._heard_s > 0:  # the frontier took it back: it was no beginning
            self._clear()
            self._put()
        first = not self._known and self._estimate_first(belief)
        self._assess(belief)
        self._playing.update(self._facts(belief))
        jumped = not first and self._follow(belief)
        return self._tell(jumped, audio_sample, behind_s)

    def idle(self, audio_sample: int) -> list[Event]:
        """Tell the held position while listening is suspended."""
        self._loop.coast(0.0)
        self._playing.enter(State.PAUSED, Reason.COMMANDED)
        return self._tell(False, audio_sample, 0.0)

    def finish(self, audio_sample: int) -> list[Event]:
        """End of the stream."""
        self._playing.enter(State.ENDED, Reason.STREAM_OVER)
        return self._changes(audio_sample)

    def _listen(self, belief: Belief) -> None:
        if belief.presence < SILENCE:
            self._silent_s += self._hop_s
            self._sounded_s = 0.0
        else:
            self._silent_s = 0.0
            self._sounded_s += self._hop_s
            self._heard_s += self._hop_s * belief.presence
        if self._known:
            own_tempo = self._orchestra_tempo() if self._silent_s > 0 else 1.0  # asked for in a silence only
            self._odds = self.listening.update(belief, self._loop.mix_s, self._loop.tempo, own_tempo)

    def _orchestra_tempo(self) -> float:
        slope = self._map.slope_at(self._loop.mix_s)
        return 1.0 / slope if slope > 0 else 1.0

    def _assess(self, belief: Belief) -> None:
        """Take the evidence of this hop; in a silence the newest stays."""
        before = self._evidence
        if self._silent_s > 0:
            self._evidence = replace(before, silent_s=self._silent_s)
            return
        share = belief.concentration
        now = log10_odds(min(share, 1 - share) if self._away_s > 0 else share)
        correction_s = before.correction_s
        if belief.mix_s is not None and self._known:
            apart_s = min(abs(self._loop.error(belief.mix_s)), self._config.jump_s)
            correction_s += self._hop_s / self._config.correct_s * (apart_s - correction_s)
        told_s = self._heard_s - self._told_at_s
        self._evidence = Evidence(now, belief.margin, belief.place_log_odds, told_s, 0.0, correction_s)

    def _facts(self, belief: Belief) -> Facts:
        known = belief.mix_s is not None
        last_s = self._orchestra_end_s - self._config.end_s
        at_end = self._silent_s > 0 and self._map.to_orchestra(self._loop.mix_s) >= last_s
        return Facts(
            self._known,
            self._odds.stopped,
            on_track_log_odds(self._evidence),
            belief.margin < 0,
            belief.concentration,
            belief.mix_s is not None and self._near(belief.mix_s),
            self._silent_s,
            self._sounded_s if known else 0.0,
            bool(self._known and self._map.in_cut(self._loop.mix_s)),
            self._known and at_end,
        )

    def _estimate_first(self, belief: Belief) -> bool:
        """Estimate a position as soon as one is believed in."""
        c = self._config
        if belief.mix_s is None or belief.concentration < c.estimate_above or self._heard_s < c.estimate_after_s:
            return False
        self._jump(belief.mix_s, belief.rate)
        self._known = True
        if self._expected_s is not None and abs(belief.mix_s - self._expected_s) <= c.jump_s:
            self._told_at_s = self._heard_s
        return True

    def _share(self) -> float:
        """Share of the tempo at which the estimate moves on in a silence nobody can tell yet."""
        odds = self._odds
        return odds.resting + (1.0 - odds.resting) * max(1.0 - odds.doubt / self._config.hold_nats, 0.0)

    def _near(self, mix_s: float) -> bool:
        """Is this the estimated position or that of the last note, or between them, up to a jump?"""
        error_s, jump_s = self._loop.error(mix_s), self._config.jump_s
        return min(self.listening.heard_s - self._loop.mix_s, 0.0) - jump_s <= error_s <= jump_s

    def _follow(self, belief: Belief) -> bool:
        """Move the estimated position on; returns whether it jumped."""
        c, loop = self._config, self._loop
        if belief.mix_s is None or not self._known:
            return False
        match self._playing.state:
            case State.PAUSED | State.ENDED:
                loop.coast(0.0)
                return False
            case State.ORCHESTRA:
                loop.lead(self._orchestra_tempo())
                return False
        if self._told in (State.PAUSED, State.ENDED):  # the piano is back
            return self._go_on(belief)
        if self._silent_s > 0:
            loop.coast(self._share())
            return False
        if abs(loop.error(belief.mix_s)) <= c.jump_s:
            self._away_s = 0.0
            loop.follow(belief.mix_s, belief.rate)
            return False
        self._away_s += self._hop_s
        needed = c.persist_above if self._away_s > c.persist_s else c.jump_above
        if belief.concentration < needed:
            loop.coast()
            return False
        self._jump(belief.mix_s, belief.rate)
        return True

    def _go_on(self, belief: Belief) -> bool:
        """After a pause: from the position that was held, unless the piano is elsewhere."""
        assert belief.mix_s is not None
        if self._near(belief.mix_s):
            self._loop.move_to(belief.mix_s, self._loop.tempo)
            return True
        if belief.concentration >= self._config.persist_above:
            self._jump(belief.mix_s, belief.rate)
            return True
        return False

    def _jump(self, mix_s: float, rate: float) -> None:
        self._loop.move_to(mix_s, rate)
        self.listening.move_to(mix_s)
        self._playing.moved()
        self._away_s, self._told_at_s = 0.0, -math.inf

    def _changes(self, audio_sample: int) -> list[Event]:
        state, before = self._playing.state, self._told
        if state is before:
            return []
        self._told = state
        return [StateChange(audio_sample, self._sample_rate_hz, state, before, self._playing.reason.value)]

    def _tell(self, jumped: bool, audio_sample: int, behind_s: float) -> list[Event]:
        events = self._changes(audio_sample)
        orchestra_s, rate, sure = None, 1.0, 0.0
        if self._known:
            mix_s = self._loop.mix_s
            sure = confidence(self._evidence, self._map.confidence_at(mix_s))
            rate = self._loop.rate * self._map.slope_at(mix_s)
            orchestra_s = self._map.to_orchestra(mix_s) + rate * behind_s
            before = self._orchestra_s
            if jumped and before is not None and abs(orchestra_s - before) > self._config.jump_s:
                events.append(Jump(audio_sample, self._sample_rate_hz, before, orchestra_s))
            elif before is not None:
                orchestra_s = max(orchestra_s, before)
            self._orchestra_s = orchestra_s
        events.append(
            Position(self._seq, audio_sample, self._sample_rate_hz, orchestra_s, self.mix_s, rate, sure, self._told)
        )
        self._seq += 1
        return events
