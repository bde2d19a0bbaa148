"""From a frontier's belief about the mix to claims about the orchestra: position, rate, confidence, state."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from follower.config import JsonConfig, require
from follower.events import Event, Jump, Position, State, StateChange
from follower.inference.base import Belief
from follower.piece.piece import Piece
from follower.tracking.confidence import MAX_SETTLED, Evidence, confidence, log10_odds, on_track_log_odds

GUESS = "a first guess at the piano's place"
ELSEWHERE = "what the piano plays fits another place better"
SEVERAL = "what the piano plays fits several places"


@dataclass(frozen=True)
class TrackerConfig(JsonConfig):
    """The tracker's constants.

    Attributes:
        claim_above: concentration the first claim needs.
        claim_after_s: playing time the first claim needs.
        lost_below: log odds of the place (`on_track_log_odds`) below which it is lost, a first claim at once, and
        lost_after_s: any other after this long of sounding piano.
        found_above: log odds above which it is found again,
        found_after_s: after this long.
        jump_s: a correction larger than this (in mix and in orchestra seconds) is a jump; a smaller one never goes
            back, the orchestra waits instead.
        jump_above: concentration a jump needs at once; below it the claim runs on at its rate,
        persist_s: but after this long away from the belief
        persist_above: this concentration is enough.
        settle_s: time constant, of playing, in which a new claim settles and gains confidence.
        position_gain: share of the position error corrected per hop.
        rate_gain: share of the position error, per hop, that goes into the rate.
        rate_follow: share of the frontier's rate taken over per hop.
        orchestra_follow: share of the orchestra's own tempo taken over per hop while it leads.
        silence: presence below which the piano counts as silent.
        decide_after_s: silence after which it is a rest or a pause.
        undecided_s: up to this much silence, a claim that has just passed a gap of the mix's piano runs on when the mix
            has piano again soon: a short rest.
        gap_s: mix seconds before the claim in which that gap is looked for.
        gap_below: mean piano activity there that counts as a gap.
        expect_s: the mix is asked for piano over this long from the place where the piano fell silent.
        expect_above: mean piano activity there above which the silence is a pause.
        trust_s: over this long before the silence, while the piano was heard, the mix's activity is checked.
        trust_above: mean activity there below which the mix does not tell the piano apart here: it cannot announce
            a rest either. (Measured on 35 rests and 2221 places to stop in 33 rendered performances: rests
            taken for pauses 31 -> 34 %; pauses taken for rests 20 -> 15 %.)
        missed_s: a rest is over, and was a pause, when the mix has had piano for this long without the live one.
        missed_above: mean piano activity that counts as piano there (3 s means inside four tuttis reached .53).
        breath_s: in the first seconds of a silence, when the mix's piano has been seen to rest (`gap_s`, `gap_below`),
        entry_s: so much of clear piano is enough when it goes on for `trust_s`: the pianist did not come in after a
            breath or a short rest.
        brake_after_s: when the piano falls silent where the mix has it, the claim slows down after this long,
        brake_s: with this time constant: should it be a pause, the orchestra has not run far ahead.
        brake_ahead_s: whether the mix has piano is the mean activity over this long from the last note on,
        brake_above: if it is above this.
        resume_above: concentration that ends a pause when the piano sounds again,
        max_resume_s: or this much playing: until then the orchestra stays where it is.
        end_s: a silence this close to the end of the orchestra recording ends the piece.
    """

    claim_above: float = 0.5
    claim_after_s: float = 0.1
    lost_below: float = 1.2
    lost_after_s: float = 0.2
    found_above: float = 1.7
    found_after_s: float = 0.1
    jump_s: float = 1.0
    jump_above: float = 0.75
    persist_s: float = 0.5
    persist_above: float = 0.35
    settle_s: float = 1.0
    position_gain: float = 0.5
    rate_gain: float = 0.01
    rate_follow: float = 0.05
    orchestra_follow: float = 0.02
    silence: float = 0.1
    decide_after_s: float = 0.7
    undecided_s: float = 2.0
    gap_s: float = 0.4
    gap_below: float = 0.3
    expect_s: float = 2.0
    expect_above: float = 0.5
    trust_s: float = 4.0
    trust_above: float = 0.4
    missed_s: float = 3.0
    missed_above: float = 0.65
    breath_s: float = 5.0
    entry_s: float = 0.25
    brake_after_s: float = 0.1
    brake_s: float = 0.05
    brake_ahead_s: float = 1.0
    brake_above: float = 0.6
    resume_above: float = 0.75
    max_resume_s: float = 0.8
    end_s: float = 1.0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        shares = (
            "claim_above jump_above persist_above position_gain rate_gain rate_follow orchestra_follow silence "
            "gap_below expect_above trust_above missed_above brake_above resume_above"
        )
        for name in shares.split():
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        for f in fields(self):
            if f.name.endswith("_s"):
                require(getattr(self, f.name) > 0, f.name, getattr(self, f.name), "more than 0")
        require(self.found_above > self.lost_below, "found_above", self.found_above, f"above {self.lost_below}")


class Tracker:
    """Smooths beliefs, composes them with the PO-O map and decides the state. Integer sample time, no clock."""

    def __init__(self, piece: Piece, sample_rate_hz: int, config: TrackerConfig | None = None) -> None:
        """`sample_rate_hz` is the live stream's rate, in which `audio_sample` counts."""
        self._config = config or TrackerConfig()
        self._map = piece.map
        self._hop_s = piece.feature_config.hop_s
        activity = piece.piano_activity.astype(np.float64)
        self._activity_sum = np.concatenate([[0.0], np.cumsum(activity)])
        self._mix_end_s = piece.mix_duration_s
        self._orchestra_end_s = piece.orchestra_duration_s
        self._sample_rate_hz = sample_rate_hz
        self._seq = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything; the same as a fresh tracker."""
        self._seq = 0
        self._state = State.WAITING
        self._reason = "nothing recognised yet"
        self._placed_s: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._mix_s: float | None = None
        self._rate = 1.0
        self._orchestra_s: float | None = None
        self._heard_s = 0.0
        self._silent_s = 0.0
        self._sounded_s = 0.0
        self._heard_mix_s: float | None = None
        self._in_pause = False
        self._braked = 1.0
        self._gap_seen = False
        self._turned_s = 0.0
        self._why_lost = GUESS
        self._away_s = 0.0
        self._claimed_at_s = 0.0
        self._evidence = Evidence(0.0, 0.0, 0.0, 0.0, 0.0)

    @property
    def mix_s(self) -> float | None:
        """Newest claim (mix seconds); None while unknown."""
        return self._mix_s

    def place(self, mix_s: float) -> None:
        """Claim this place of the mix (s) until the piano tells otherwise."""
        self._placed_s = mix_s
        self._clear()
        self._mix_s, self._rate = mix_s, 0.0

    def update(self, belief: Belief, audio_sample: int, behind_s: float = 0.0) -> list[Event]:
        """Take the belief of one hop, which ended `behind_s` before `audio_sample`; return what to tell."""
        if belief.presence < self._config.silence:
            self._silent_s += self._hop_s
            self._sounded_s = 0.0
        else:
            self._silent_s, self._gap_seen = 0.0, False
            self._sounded_s += self._hop_s
            self._heard_s += self._hop_s * belief.presence
        if belief.mix_s is None and self._heard_s > 0:  # the frontier took it back: it was no beginning
            self._clear()
            self._mix_s = self._placed_s
        self._assess(belief)
        state, reason = self._decide(belief)
        jump = self._follow(belief, state)
        if self._silent_s == 0:
            self._heard_mix_s = self._mix_s
        if self._mix_s is None:
            state, reason = State.WAITING, "nothing recognised yet"
        elif state is State.WAITING:
            sure = on_track_log_odds(self._evidence) > self._config.lost_below
            state, reason = (State.FOLLOWING, "the piano's place is known") if sure else (State.LOST, GUESS)
        return self._tell(state, reason, jump, audio_sample, behind_s)

    @property
    def evidence(self) -> Evidence:
        """What speaks for the newest claim."""
        return self._evidence

    def _assess(self, belief: Belief) -> None:
        """Take the evidence of this hop; in a silence the newest stays."""
        before = self._evidence
        if self._silent_s > 0:
            self._evidence = replace(before, silent_s=self._silent_s)
            return
        if self._mix_s is None:
            self._claimed_at_s = self._heard_s
        age_s = self._heard_s - self._claimed_at_s
        share = belief.concentration
        now = log10_odds(min(share, 1 - share) if self._away_s > 0 else share)
        settled = before.settled if age_s > before.age_s else 0.0  # a new claim has yet to settle
        settled += self._hop_s * belief.presence / self._config.settle_s * (min(now, MAX_SETTLED) - settled)
        self._evidence = Evidence(now, settled, belief.margin, age_s, 0.0)

    def idle(self, audio_sample: int) -> list[Event]:
        """Tell the held position while listening is suspended."""
        self._rate = 0.0
        return self._tell(State.PAUSED, "held by command", False, audio_sample, 0.0)

    def _tell(self, state: State, reason: str, jump: bool, audio_sample: int, behind_s: float) -> list[Event]:
        events: list[Event] = []
        if state is not self._state or reason != self._reason:
            events.append(StateChange(audio_sample, self._sample_rate_hz, state, self._state, reason))
            self._state, self._reason = state, reason
        orchestra_s, rate, sure = None, 1.0, 0.0
        if self._mix_s is not None:
            sure = confidence(self._evidence, self._map.confidence_at(self._mix_s))
            rate = self._braked * self._rate * self._map.slope_at(self._mix_s)
            orchestra_s = self._map.to_orchestra(self._mix_s) + rate * behind_s
            before = self._orchestra_s
            if jump and before is not None and abs(orchestra_s - before) > self._config.jump_s:
                events.append(Jump(audio_sample, self._sample_rate_hz, before, orchestra_s))
            elif before is not None:
                orchestra_s = max(orchestra_s, before)
            self._orchestra_s = orchestra_s
        events.append(
            Position(self._seq, audio_sample, self._sample_rate_hz, orchestra_s, self._mix_s, rate, sure, self._state)
        )
        self._seq += 1
        return events

    def _follow(self, belief: Belief, state: State) -> bool:
        """Move the claimed place on; returns whether it jumped."""
        c = self._config
        braked, self._braked = self._braked < 1.0, 1.0
        if belief.mix_s is None:
            return False
        if self._mix_s is None:
            if belief.concentration >= c.claim_above and self._heard_s >= c.claim_after_s:
                self._mix_s, self._rate = belief.mix_s, belief.rate
            return False
        if state in (State.PAUSED, State.ENDED):
            self._rate = 0.0
            self._in_pause = True
            return False
        resumed, self._in_pause = self._in_pause, False
        if resumed and belief.concentration >= c.persist_above:
            since_s = self._claimed_at_s if abs(belief.mix_s - self._mix_s) <= c.jump_s else self._heard_s
            return self._move(belief.mix_s, belief.rate, since_s)
        expected = self._mix_s + self._rate * self._hop_s
        if state is State.ORCHESTRA:
            slope = self._map.slope_at(self._mix_s)
            own = 1 / slope if slope > 0 else 1.0
            self._rate += c.orchestra_follow * (min(max(own, 0.3), 3.0) - self._rate)
            self._mix_s = min(expected, self._mix_end_s)
            return False
        if self._silent_s > c.brake_after_s and self._piano_missing():
            self._braked = math.exp((c.brake_after_s - self._silent_s) / c.brake_s)
            self._mix_s = min(self._mix_s + self._braked * self._rate * self._hop_s, self._mix_end_s)
            return False
        error = belief.mix_s - expected
        if abs(error) > c.jump_s:
            self._away_s += self._hop_s
            needed = c.persist_above if self._away_s > c.persist_s else c.jump_above
            if belief.concentration < needed:
                self._mix_s = min(expected, self._mix_end_s)
                return False
            return self._move(belief.mix_s, belief.rate, self._heard_s)
        self._away_s = 0.0
        if braked and error > 0:  # it was no pause: what is caught up says nothing about the tempo
            expected, error = belief.mix_s, 0.0
        self._mix_s = min(max(expected + c.position_gain * error, 0.0), self._mix_end_s)
        self._rate += c.rate_gain * error / self._hop_s
        self._rate = max(self._rate + c.rate_follow * (belief.rate - self._rate), 0.0)
        return False

    def _move(self, mix_s: float, rate: float, claimed_at_s: float) -> bool:
        """Jump; the claim began at `claimed_at_s` of playing: now, unless the piano goes on where it had stopped."""
        self._mix_s, self._rate = mix_s, rate
        self._away_s, self._turned_s, self._claimed_at_s = 0.0, 0.0, claimed_at_s
        return True

    def _decide(self, belief: Belief) -> tuple[State, str]:
        """Name the state and say why."""
        c = self._config
        if self._mix_s is None or belief.mix_s is None:
            return State.WAITING, "nothing recognised yet"
        if self._silent_s >= c.decide_after_s:
            return self._silence(self._mix_s)
        if self._silent_s > 0:
            return self._state, self._reason
        unsure = belief.concentration < c.resume_above and self._sounded_s < c.max_resume_s
        if self._in_pause and unsure:
            return self._state, self._reason
        if self._notice_lost(belief):
            return State.LOST, self._why_lost
        if self._map.in_cut(self._mix_s):
            return State.FOLLOWING, "cadenza: the orchestra recording has a cut here and waits"
        return State.FOLLOWING, "the piano's place is known"

    def _notice_lost(self, belief: Belief) -> bool:
        """Has the claim lost the piano? Some evidence in a row is asked for, to get lost and to be found."""
        c = self._config
        lost = self._state is State.LOST
        odds = on_track_log_odds(self._evidence)
        turned = odds > c.found_above if lost else odds < c.lost_below
        self._turned_s = self._turned_s + self._hop_s if turned else 0.0
        if self._turned_s >= (c.found_after_s if lost else c.lost_after_s):
            self._turned_s = 0.0
            lost = not lost
            self._why_lost = ELSEWHERE if belief.margin < 0 else SEVERAL
        return lost

    def _silence(self, mix_s: float) -> tuple[State, str]:
        """Tell a rest from a pause when the silence has lasted long enough; a missed entry ends the rest."""
        c = self._config
        if self._state in (State.PAUSED, State.ORCHESTRA, State.ENDED):
            if self._state is State.ORCHESTRA and self._ending(mix_s):
                return State.ENDED, "the end of the orchestra recording"
            if self._state is State.ORCHESTRA and self._entry_missed(mix_s):
                return State.PAUSED, "the piano did not come in where the mix has it"
            return self._state, self._reason
        if self._ending(mix_s):
            return State.ENDED, "the end of the orchestra recording"
        if self._piano_expected(mix_s) > c.expect_above:
            if self._silent_s < c.undecided_s and self._mean_activity(mix_s - c.gap_s, mix_s) < c.gap_below:
                return self._state, self._reason
            return State.PAUSED, "the piano stopped where the mix has piano"
        if self._mean_activity(mix_s - c.trust_s, mix_s) < c.trust_above:
            return State.PAUSED, "the piano stopped where the mix does not tell it from the orchestra"
        return State.ORCHESTRA, "the piano rests and the orchestra leads"

    def _ending(self, mix_s: float) -> bool:
        return self._map.to_orchestra(mix_s) >= self._orchestra_end_s - self._config.end_s

    def _piano_missing(self) -> bool:
        """Does the mix have piano where the live one fell silent?"""
        heard_s = self._heard_mix_s
        return heard_s is not None and (
            self._mean_activity(heard_s, heard_s + self._config.brake_ahead_s) > self._config.brake_above
        )

    def _piano_expected(self, mix_s: float) -> float:
        """Mean piano activity of the mix from a place on."""
        return self._mean_activity(mix_s, mix_s + self._config.expect_s)

    def _entry_missed(self, mix_s: float) -> bool:
        """Has the orchestra led past a place where the mix's piano has clearly been playing for a while?"""
        c = self._config
        if self._mean_activity(mix_s - c.gap_s, mix_s) < c.gap_below:
            self._gap_seen = True
        if self._gap_seen and self._silent_s < c.breath_s:
            played = self._mean_activity(mix_s - c.entry_s, mix_s)
            return min(played, self._mean_activity(mix_s, mix_s + c.trust_s)) > c.missed_above
        if self._silent_s < c.missed_s + 1.0:  # the time before the piano fell silent does not count
            return False
        return self._mean_activity(mix_s - c.missed_s, mix_s) > c.missed_above

    def _mean_activity(self, from_s: float, to_s: float) -> float:
        """Mean piano activity of the mix between two places, of one frame at least."""
        n = len(self._activity_sum) - 1
        first = min(max(round(from_s / self._hop_s), 0), n - 1)
        end = min(max(round(to_s / self._hop_s), first + 1), n)
        return float(self._activity_sum[end] - self._activity_sum[first]) / (end - first)

    def finish(self, audio_sample: int) -> list[Event]:
        """End of the stream."""
        if self._state is State.ENDED:
            return []
        change = StateChange(audio_sample, self._sample_rate_hz, State.ENDED, self._state, "the stream ended")
        self._state = State.ENDED
        return [change]
