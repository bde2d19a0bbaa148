"""The loop: source -> engine -> sinks. Live, replay and the tests run this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from follower.errors import FollowerError, InputError
from follower.events import AudioBlock, Event, Notice, Position, Session
from follower.protocol.codec import kind_of
from follower.protocol.commands import Command, SessionCommand, Start
from follower.protocol.practice_commands import PracticeCommand
from follower.session.background_writer import writers_among
from follower.session.controls import ControlQueue, Refused
from follower.session.engine_port import EnginePort
from follower.session.partner import NoPartner, Partner
from follower.session.recorder import Recorder
from follower.session.sink import Sink
from follower.session.source import Source
from follower.version import program_version

LATE_MS = 1000.0
"""Positions this late are reported: the computer does not keep up."""
REFUSED_AGAIN_S = 10.0
"""Audio that cannot be used is reported at most this often (s of audio)."""
IN_TIME_MS = 300.0
"""Positions this late at most are in time again."""


@dataclass(frozen=True)
class RunSummary:
    """What a run did.

    Attributes:
        blocks: audio blocks processed.
        positions: positions emitted.
        dropped: events the sinks could not deliver.
    """

    blocks: int
    positions: int
    dropped: int


def session_of(engine: EnginePort) -> Session:
    """Describe the engine's session for the sinks."""
    return Session(
        program_version(),
        engine.method,
        engine.sample_rate_hz,
        engine.piece.orchestra_duration_s,
        engine.piece.mix_duration_s,
        engine.piece.name,
    )


def stamped(event: Event, block: AudioBlock, sample_rate_hz: int, clock: Callable[[], float]) -> Event:
    """Give a position its capture time and latency; other events, and all without a clock, pass unchanged."""
    if not isinstance(event, Position) or block.capture_time_s is None:
        return event
    behind_s = (block.first_sample + len(block.samples) - event.audio_sample) / sample_rate_hz
    capture_s = block.capture_time_s - behind_s
    return replace(event, capture_time_s=capture_s, latency_ms=1e3 * (clock() - capture_s))


def run(
    source: Source,
    engine: EnginePort,
    sinks: Sequence[Sink],
    controls: ControlQueue | None = None,
    on_event: Callable[[Event], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    partner: Partner | None = None,
    recorder: Recorder | None = None,
) -> RunSummary:
    """Feed an open source through the engine into open sinks until the source ends.

    Args:
        source: open, at the engine's sample rate.
        engine: fresh or reset.
        sinks: open; each gets every event in order.
        controls: what listeners ask for, taken before each block.
        on_event: called with each event after the sinks, for a display.
        clock: monotonic seconds, of the same clock as the blocks' capture times.
        partner: carries out what a pianist asks for beside following; None refuses it.
        recorder: open; is told all that the engine takes.
    """
    partner = NoPartner() if partner is None else partner
    session = session_of(engine)
    blocks = positions = sample = 0
    late = False
    tell_refused_from = 0
    healthy = writers_among((*sinks, recorder))

    def announce() -> None:
        for sink in sinks:
            sink.begin(session)
        for event in partner.begin():
            emit(event)

    def emit(event: Event) -> None:
        nonlocal positions
        positions += isinstance(event, Position)
        for sink in sinks:
            sink.send(event)
        if on_event is not None:
            on_event(event)

    def notice(text: str) -> None:
        emit(Notice(sample, engine.sample_rate_hz, text))

    def ask_engine(command: Command) -> list[Event]:
        caused = engine.command(command)
        if recorder is not None:
            recorder.commanded(command, caused)
        return caused

    def carry_out(command: SessionCommand) -> list[Event]:
        if not isinstance(command, PracticeCommand):
            return ask_engine(command)
        asked, caused = partner.command(command)
        for further in asked:
            caused += ask_engine(further)
        return caused

    def apply(command: SessionCommand) -> None:
        try:
            caused = carry_out(command)
        except FollowerError as e:  # a listener's mistake must not end the performance
            notice(f"{kind_of(type(command))} refused: {e}")
        except Exception as e:  # nor a mistake of ours
            notice(f"{kind_of(type(command))} failed: {type(e).__name__}: {e}")
        else:
            if isinstance(command, Start):
                announce()
            for event in caused:
                emit(event)

    def heard(block: AudioBlock) -> list[Event]:
        nonlocal tell_refused_from
        try:
            events = engine.process(block)
        except InputError as e:  # a device or a plug-in went wrong; its samples count as lost
            if sample >= tell_refused_from:
                tell_refused_from = sample + round(REFUSED_AGAIN_S * engine.sample_rate_hz)
                notice(f"audio refused: {e}")
            return []
        if recorder is not None:
            recorder.heard(block, events)
        return events

    def report_failures() -> None:
        for sink in [sink for sink in healthy if sink.failure is not None]:
            healthy.remove(sink)
            notice(f"{sink.name} is no longer written: {sink.failure}")

    def report_delay(event: Event) -> None:
        nonlocal late
        if not isinstance(event, Position) or event.latency_ms is None:
            return
        if not late and event.latency_ms > LATE_MS:
            late = True
            notice(f"positions come {event.latency_ms / 1e3:.1f} s late: this computer does not keep up")
        elif late and event.latency_ms <= IN_TIME_MS:
            late = False
            notice("positions come in time again")

    announce()

    for item in source.blocks():
        report_failures()
        if isinstance(item, Notice):
            emit(item)
            continue
        waiting = controls.take() if controls is not None else []
        if controls is not None and (dropped := controls.take_dropped()):
            notice(f"{dropped} commands were dropped: too many at once")
        for control in waiting:
            if isinstance(control, Refused):
                notice(control.message)
            else:
                apply(control)
        sample = item.first_sample + len(item.samples)
        events = [stamped(event, item, engine.sample_rate_hz, clock) for event in heard(item)]
        for event in events:
            emit(event)
            report_delay(event)
        asked, caused = partner.hear(item, events)
        for command in asked:
            apply(command)
        for event in caused:
            emit(event)
        blocks += 1
    for event in engine.finish():
        emit(event)
    return RunSummary(blocks, positions, sum(s.dropped for s in sinks))
