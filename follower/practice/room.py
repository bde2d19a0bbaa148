"""The practice partner of one session: carries out what a pianist asks for beside following."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, assert_never

from follower.errors import InputError, OutputError
from follower.events import AudioBlock, Event, Markers, Notice, Position, Practice, StateChange
from follower.piece.bounds import require_in_orchestra
from follower.piece.piece import Piece
from follower.playback.desk import Desk
from follower.playback.tuned import MAX_SHIFT_CENTS
from follower.playback.wishes import Prelude
from follower.practice import markers as marker_files
from follower.practice.companion import MARKERS, TAKES, companion_of
from follower.practice.take import Take
from follower.protocol.commands import Command, Seek
from follower.protocol.practice_commands import (
    Again,
    Begin,
    BeginAt,
    CountIn,
    EndLoop,
    EndRecord,
    LeadIn,
    LeadInBars,
    Loop,
    Mark,
    PracticeCommand,
    Record,
    Tempo,
    Tune,
    Unmark,
    Volume,
)
from follower.session.extrapolation import MOVING
from follower.signal.tuning import TuningEstimator

SHORTEST_LOOP_S = 1.0
JUST_PASSED_S = 2.0
"""Who closes a loop where he stands is beyond its end when that arrives here; he is called back all the same."""
TELL_EVERY_S = 1.0
"""Of live audio: how often slowly changing values are told."""
TELL_CENTS = 0.3
"""A tuning that has changed less is not told again."""
RETUNE_CENTS = 0.7
"""The orchestra is tuned anew when the piano is this far from what it is tuned to."""


class PracticeRoom:
    """See `follower.session.partner.Partner`.

    Args:
        piece: what is practised.
        sample_rate_hz: of the live piano.
        desk: the outputs.
        stamp: names a recording; a new one every time it is called.
    """

    def __init__(
        self,
        piece: Piece,
        sample_rate_hz: int,
        desk: Desk,
        stamp: Callable[[], str] = lambda: time.strftime("%Y-%m-%d %H.%M.%S"),
    ) -> None:
        self.desk = desk
        self._duration_s = piece.orchestra_duration_s
        self._folder = companion_of(piece.path)
        self._rate_hz = sample_rate_hz
        self._stamp = stamp
        self._markers_trouble = ""
        try:
            self._markers = marker_files.Markers(self._folder / MARKERS, self._duration_s)
        except InputError as e:  # a damaged file of markers must not keep anybody from playing
            self._markers_trouble = str(e)
            self._markers = marker_files.Markers(self._folder / f"new-{MARKERS}", self._duration_s)
        self._state = Practice(0, sample_rate_hz, volume_db=desk.wishes.volume_db)
        self._told = self._state
        self._tell_from = 0
        self._tuning = TuningEstimator(sample_rate_hz)
        self._take: Take | None = None
        self._position: Position | None = None
        self._sample = 0
        self._armed = False
        self._wish()

    @property
    def folder(self) -> Path:
        """Where markers and recordings are."""
        return self._folder

    # What the session's loop calls.

    def begin(self) -> list[Event]:
        """Return markers and state for the listeners."""
        trouble = [Notice(self._sample, self._rate_hz, self._markers_trouble)] if self._markers_trouble else []
        return [*trouble, self._marker_event(), self._tell()]

    def hear(self, block: AudioBlock, events: Sequence[Event]) -> tuple[list[Command], list[Event]]:
        """Take a block and what the engine said of it."""
        self._sample = block.first_sample + len(block.samples)
        self._tuning.push(block.samples)
        asked: list[Command] = []
        said: list[Event] = []
        for event in events:
            if isinstance(event, Position | StateChange):
                self.desk.on_event(event)
            if isinstance(event, Position):
                self._position = event
                sound = self.desk.streamed_sound(event.capture_time_s)
                if sound is not None:
                    asked.append(sound)
                again = self._loop(event)
                asked += again
                said += [self._tell()] if again else []
        if self._take is not None:
            self._take.hear(block)
            if self._take.full:
                said += self._end_take()
        self._tune()
        if self._sample >= self._tell_from:
            said += self._news()
        return asked, said

    def command(self, command: PracticeCommand) -> tuple[list[Command], list[Event]]:
        """Carry out a command.

        Raises:
            InputError: a place outside the recording, a loop without length, no such marker.
            OutputError: a file cannot be written.
        """
        asked: list[Command] = []
        said: list[Event] = []
        match command:
            case Begin(orchestra_time_s=at_s):
                asked = self._begin_at(at_s)
            case BeginAt(marker=name):
                asked = self._begin_at(self._markers.at_s(name))
            case Again():
                if self._state.start_s is None:
                    raise InputError("nothing was begun yet; choose where to begin first")
                asked = self._begin_at(self._state.start_s)
            case Loop(begin_s=begin_s, end_s=end_s):
                require_in_orchestra("loop to", end_s, self._duration_s)
                if end_s - begin_s < SHORTEST_LOOP_S:
                    raise InputError(f"a loop lasts {SHORTEST_LOOP_S:g} s or more; this one is {end_s - begin_s:.1f} s")
                self._state = replace(self._state, loop_begin_s=begin_s, loop_end_s=end_s)
                at_s = None if self._position is None else self._position.orchestra_time_s
                self._armed = at_s is not None and begin_s <= at_s <= end_s + JUST_PASSED_S
            case EndLoop():
                self._state = replace(self._state, loop_begin_s=None, loop_end_s=None)
            case LeadIn(duration_s=duration_s):
                self._state = replace(self._state, lead_in_s=duration_s, lead_in_bars=0)
            case LeadInBars(bars=bars, beats_per_bar=beats_per_bar):
                self._state = replace(self._state, lead_in_s=0.0, lead_in_bars=bars, beats_per_bar=beats_per_bar)
            case CountIn(clicks=clicks, beats_per_minute=beats_per_minute):
                self._state = replace(self._state, count_in=clicks, beats_per_minute=beats_per_minute)
            case Volume(level_db=level_db):
                self._state = replace(self._state, volume_db=level_db)
            case Tempo(slowest=slowest, fastest=fastest):
                if slowest > fastest:
                    raise InputError(f"the slowest rate {slowest:g} is above the fastest, {fastest:g}")
                self._state = replace(self._state, slowest=slowest, fastest=fastest)
            case Tune(to=to):
                self._state = replace(self._state, tune_to=to)
                self._tune()
            case Record():
                self._begin_take()
            case EndRecord():
                said += self._end_take()
            case Mark(name=name, orchestra_time_s=at_s):
                self._markers.set(name, self._standing_s() if at_s is None else at_s)
                said.append(self._marker_event())
            case Unmark(name=name):
                self._markers.remove(name)
                said.append(self._marker_event())
            case _:
                assert_never(command)
        self._measure_bars()
        self._wish()
        return asked, [*said, self._tell()]

    def close(self) -> str:
        """The session ends: complete a recording; return what went wrong, or ""."""
        if self._take is None:
            return ""
        take, self._take = self._take, None
        self.desk.tap(None)
        try:
            take.close()
        except OutputError as e:
            return str(e)
        return ""

    # What is done.

    def _measure_bars(self) -> None:
        """So many bars of the recording sound as long as their clicks, at the rate it is played before a begin."""
        state = self._state
        if state.lead_in_bars > 0:
            heard_s = 60.0 / state.beats_per_minute * state.beats_per_bar * state.lead_in_bars
            self._state = replace(state, lead_in_s=heard_s * max(state.slowest, min(state.fastest, 1.0)))

    def _begin_at(self, at_s: float) -> list[Command]:
        require_in_orchestra("begin at", at_s, self._duration_s)
        self._state = replace(self._state, start_s=at_s)
        self._armed = False
        state = self._state
        if state.lead_in_s > 0 or state.count_in > 0:
            lead_in_s = min(state.lead_in_s, at_s)
            self.desk.play_prelude(Prelude(at_s, lead_in_s, state.count_in, state.beats_per_minute))
        return [Seek(at_s)]

    def _loop(self, position: Position) -> list[Command]:
        """Begin again at the loop's end; only who was inside can reach it."""
        begin_s, end_s, at_s = self._state.loop_begin_s, self._state.loop_end_s, position.orchestra_time_s
        if begin_s is None or end_s is None or at_s is None or position.state not in MOVING:
            return []
        if at_s < end_s:
            self._armed = self._armed or at_s >= begin_s - SHORTEST_LOOP_S
            return []
        return self._begin_at(begin_s) if self._armed else []

    def _standing_s(self) -> float:
        at_s = None if self._position is None else self._position.orchestra_time_s
        if at_s is None:
            raise InputError("it is not known where the orchestra stands; say where the marker belongs")
        return min(at_s, self._duration_s)

    def _tune(self) -> None:
        found, own = self._tuning.estimate, self.desk.recording_tuning
        state = replace(
            self._state,
            piano_cents=None if found is None else found.cents,
            piano_cents_error=None if found is None else found.error_cents,
            recording_cents=None if own is None else own.cents,
        )
        self._state = state
        if state.tune_to == "recording":
            wanted = 0.0
        elif state.piano_cents is None or state.recording_cents is None:
            return
        else:
            # On the circle of a semitone the shorter way is meant.
            wanted = (state.piano_cents - state.recording_cents + 50.0) % 100.0 - 50.0
        if abs(wanted - self.desk.wishes.shift_cents) > (RETUNE_CENTS if wanted else 0.0):
            self.desk.wish(shift_cents=max(-MAX_SHIFT_CENTS, min(MAX_SHIFT_CENTS, wanted)))

    def _wish(self) -> None:
        state, wishes = self._state, self.desk.wishes
        if (state.volume_db, state.slowest, state.fastest) != (wishes.volume_db, wishes.slowest, wishes.fastest):
            self.desk.wish(volume_db=state.volume_db, slowest=state.slowest, fastest=state.fastest)

    def _begin_take(self) -> None:
        if self._take is not None:
            raise InputError("a recording is running already; end it first")
        name = f"{self._stamp()}.flac"
        take = Take(self._folder / TAKES / name, self._rate_hz)
        self.desk.tap(take.orchestra.put)
        self._take = take
        self._state = replace(self._state, take=name, recorded_s=0.0)

    def _end_take(self) -> list[Event]:
        if self._take is None:
            raise InputError("no recording is running")
        length_s = self._take.recorded_s
        trouble = self.close()
        self._state = replace(self._state, recorded_s=None)
        name = self._state.take
        words = trouble or f"recorded {int(length_s // 60)}:{length_s % 60:04.1f} to {name}"
        return [Notice(self._sample, self._rate_hz, words), self._tell()]

    # What is told.

    def _marker_event(self) -> Markers:
        return Markers(self._sample, self._rate_hz, self._markers.items())

    def _now(self) -> Practice:
        prelude = self.desk.prelude
        sounding: Literal["", "count_in", "lead_in"] = ""
        if prelude is not None:
            sounding = "lead_in" if prelude.lead_in_s > 0 else "count_in"
        return replace(
            self._state,
            audio_sample=self._sample,
            sample_rate_hz=self._rate_hz,
            shift_cents=self.desk.shift_cents,
            sounding=sounding,
            recorded_s=None if self._take is None else self._take.recorded_s,
        )

    def _tell(self) -> Practice:
        self._told = self._now()
        self._tell_from = self._sample + round(TELL_EVERY_S * self._rate_hz)
        return self._told

    def _news(self) -> list[Event]:
        """What has changed of itself, once a second."""
        now, told = self._now(), self._told
        self._tell_from = self._sample + round(TELL_EVERY_S * self._rate_hz)

        def differs(a: float | None, b: float | None) -> bool:
            return (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > TELL_CENTS)

        changed = (
            differs(now.piano_cents, told.piano_cents)
            or differs(now.recording_cents, told.recording_cents)
            or differs(now.shift_cents, told.shift_cents)
            or now.sounding != told.sounding
            or now.recorded_s != told.recorded_s
        )
        return [self._tell()] if changed else []
