"""From a frontier's belief about the mix to estimates about the orchestra: position, rate, confidence, state."""

from __future__ import annotations

from dataclasses import dataclass, field

from follower.config import JsonConfig, require
from follower.events import Elsewhere, Event, Jump, Notice, Position, State, StateChange
from follower.inference.base import Belief
from follower.piece.piece import Piece
from follower.tracking.confidence import confidence, on_track_log_odds
from follower.tracking.evidence import Evidence, EvidenceGatherer
from follower.tracking.hearing import Hearing
from follower.tracking.piano_activity import ActivityConfig, PianoActivity
from follower.tracking.playing_state import STATE_OF, Facts, PlayingState, Reason, StateConfig
from follower.tracking.position_loop import LoopConfig, PositionLoop, Step


@dataclass(frozen=True)
class TrackerConfig(JsonConfig):
    """The tracker's constants.

    Attributes:
        loop: how the estimate moves, see `LoopConfig`.
        state: when the state changes, see `StateConfig`.
        activity: where the mix is expected to have piano, see `ActivityConfig`.
        first_above: concentration the first estimate needs.
        first_after_s: seconds of playing the first estimate needs.
        correct_s: time constant, of playing, of the mean correction, which says how exact an estimate is.
        end_s: seconds before the end of the orchestra recording from which a silence ends the piece.
        elsewhere_every_s: seconds after which it is told again where else the orchestra might stand: as often as an eye
            wants it, not as often as it changes.
    """

    loop: LoopConfig = field(default_factory=LoopConfig)
    state: StateConfig = field(default_factory=StateConfig)
    activity: ActivityConfig = field(default_factory=ActivityConfig)
    first_above: float = 0.5
    first_after_s: float = 0.1
    correct_s: float = 1.0
    end_s: float = 1.0
    elsewhere_every_s: float = 0.5

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ConfigError: a field is out of range.
        """
        require(0 < self.first_above < 1, "first_above", self.first_above, "between 0 and 1")
        for name in ("first_after_s", "correct_s", "end_s", "elsewhere_every_s"):
            require(getattr(self, name) > 0, name, getattr(self, name), "more than 0")


class Tracker:
    """Composes hearing, state, position and confidence with the PO-O map. Integer sample time, no clock.

    Args:
        piece: from `follower.piece.reading.load_piece`.
        sample_rate_hz: rate of the live stream, in which `audio_sample` counts.
        config: see `TrackerConfig`; None for the defaults.
    """

    def __init__(self, piece: Piece, sample_rate_hz: int, config: TrackerConfig | None = None) -> None:
        c = self._config = config or TrackerConfig()
        hop_s = piece.feature_config.hop_s
        self._map = piece.map
        self._end_s = piece.orchestra_duration_s - c.end_s
        self._sample_rate_hz = sample_rate_hz
        self._activity = PianoActivity(piece.piano_activity, hop_s, c.activity)
        self._hearing = Hearing(hop_s)
        self._gatherer = EvidenceGatherer(hop_s, c.correct_s)
        self._playing = PlayingState(c.state, self._activity, hop_s)
        self._elsewhere_every_hops = round(c.elsewhere_every_s / hop_s)
        self._loop = PositionLoop(c.loop, hop_s, piece.mix_duration_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the same as a fresh tracker."""
        self._seq = 0
        self._elsewhere: tuple[tuple[float, float], ...] = ()
        self._elsewhere_hops = 0
        self._playing.reset()
        self._reported = Reason.NOTHING_HEARD
        self._given_s: float | None = None
        self._begin()

    def _begin(self) -> None:
        """Nothing has been heard since the beginning, or since a position was given."""
        self._hearing.reset()
        self._gatherer.reset(given=self._given_s is not None)
        self._loop.reset()
        if self._given_s is not None:
            self._loop.cue(self._given_s)
        self._last_note_s: float | None = None
        self._orchestra_s: float | None = None

    @property
    def mix_s(self) -> float | None:
        """Newest estimate (mix seconds); None while unknown."""
        return self._loop.mix_s

    @property
    def evidence(self) -> Evidence:
        """What speaks for the newest estimate."""
        return self._gatherer.evidence

    def move_to(self, mix_s: float) -> None:
        """Estimate this position of the mix (s) until the piano shows otherwise."""
        self._given_s = mix_s
        self._playing.give()
        self._begin()

    def update(self, belief: Belief, audio_sample: int, behind_s: float = 0.0) -> list[Event]:
        """Take the belief of one hop, which ended `behind_s` before `audio_sample`; return what to report."""
        self._hearing.update(belief.presence)
        if belief.mix_s is None and self._hearing.heard_s > 0:  # the frontier took it back: it was no beginning
            self._playing.forget()
            self._begin()
        first = self._loop.mix_s is None and self._estimate_first(belief)
        self._gatherer.update(belief, self._hearing, self._loop.error_s(belief), self._loop.away)
        self._playing.update(self._facts(belief, first))
        step = Step.SMOOTH if first else self._move(belief)
        if not self._hearing.silent:
            self._last_note_s = self._loop.mix_s
        elsewhere = self._look_elsewhere(belief, audio_sample)
        return [*elsewhere, *self._report(step is not Step.SMOOTH, audio_sample, behind_s)]

    def idle(self, audio_sample: int) -> list[Event]:
        """Report the held position while listening is suspended."""
        self._loop.stop()
        self._playing.command()
        return self._report(False, audio_sample, 0.0)

    def finish(self, audio_sample: int) -> list[Event]:
        """End of the stream."""
        self._playing.finish()
        return self._changes(audio_sample)

    def _estimate_first(self, belief: Belief) -> bool:
        """Estimate a position as soon as one is believed in."""
        c = self._config
        if belief.mix_s is None or belief.concentration < c.first_above or self._hearing.heard_s < c.first_after_s:
            return False
        self._loop.put(belief.mix_s, belief.rate)
        self._gatherer.begin(self._hearing.heard_s)
        return True

    def _facts(self, belief: Belief, first: bool) -> Facts:
        mix_s = self._loop.mix_s
        return Facts(
            mix_s=mix_s,
            last_note_s=self._last_note_s,
            new=first,
            believed=belief.mix_s is not None,
            on_track=on_track_log_odds(self._gatherer.evidence),
            fits_elsewhere=belief.margin < 0,
            concentration=belief.concentration,
            sounded_s=self._hearing.sounded_s,
            silent_s=self._hearing.silent_s,
            held=self._loop.held,
            near=abs(self._loop.error_s(belief)) < self._config.loop.jump_s,
            in_cut=mix_s is not None and not self._hearing.silent and bool(self._map.in_cut(mix_s)),
            at_end=mix_s is not None and self._hearing.silent and self._map.to_orchestra(mix_s) >= self._end_s,
        )

    def _move(self, belief: Belief) -> Step:
        """Move the estimate on as the state asks for."""
        loop, silent_s = self._loop, self._hearing.silent_s
        if belief.mix_s is None or loop.mix_s is None:
            return Step.SMOOTH
        match self._playing.state:
            case State.PAUSED | State.ENDED:
                loop.hold()
            case State.ORCHESTRA:
                slope = self._map.slope_at(loop.mix_s)
                loop.lead(belief.rest_rate or (1 / slope if slope > 0 else 1.0))
            case _ if loop.brakes(silent_s) and self._piano_missing():
                loop.brake(silent_s)
            case _:
                return self._follow(belief)
        return Step.SMOOTH

    def _follow(self, belief: Belief) -> Step:
        step = self._loop.follow(belief)
        if step is not Step.SMOOTH:
            self._playing.moved()
        if step is Step.JUMPED:
            self._gatherer.begin(self._hearing.heard_s)
        return step

    def _piano_missing(self) -> bool:
        """Does the mix have piano where the live one fell silent?"""
        return self._last_note_s is not None and self._activity.goes_on(self._last_note_s)

    def _look_elsewhere(self, belief: Belief, audio_sample: int) -> list[Event]:
        """Where else the orchestra might stand: told when that begins and ends, now and then between."""
        self._elsewhere_hops += 1
        known = self._loop.mix_s is not None
        places = tuple((self._map.to_orchestra(s), share) for s, share in belief.elsewhere) if known else ()
        due = self._elsewhere_hops >= self._elsewhere_every_hops
        if places == self._elsewhere or not (due or not places or not self._elsewhere):
            return []
        self._elsewhere, self._elsewhere_hops = places, 0
        return [Elsewhere(audio_sample, self._sample_rate_hz, places)]

    def _changes(self, audio_sample: int) -> list[Event]:
        """A change of the state; or a cadenza that begins while the piano is followed: there the orchestra waits."""
        before, self._reported = self._reported, self._playing.reason
        if STATE_OF[before] is not self._playing.state:
            text = self._reported.value
            return [StateChange(audio_sample, self._sample_rate_hz, self._playing.state, STATE_OF[before], text)]
        if self._reported is Reason.CADENZA and before is not Reason.CADENZA:
            return [Notice(audio_sample, self._sample_rate_hz, self._reported.value)]
        return []

    def _report(self, jumped: bool, audio_sample: int, behind_s: float) -> list[Event]:
        events, state = self._changes(audio_sample), self._playing.state
        mix_s, orchestra_s, rate, sure = self._loop.mix_s, None, 1.0, 0.0
        if mix_s is not None:
            sure = confidence(self._gatherer.evidence, self._map.confidence_at(mix_s), state)
            rate = self._loop.rate * self._map.slope_at(mix_s)
            orchestra_s, before_s = self._map.to_orchestra(mix_s) + rate * behind_s, self._orchestra_s
            if jumped and before_s is not None and abs(orchestra_s - before_s) > self._config.loop.jump_s:
                events.append(Jump(audio_sample, self._sample_rate_hz, before_s, orchestra_s))
            elif before_s is not None:
                orchestra_s = max(orchestra_s, before_s)
            self._orchestra_s = orchestra_s
        events.append(Position(self._seq, audio_sample, self._sample_rate_hz, orchestra_s, mix_s, rate, sure, state))
        self._seq += 1
        return events
