"""What listeners ask for reaches the engine, and their mistakes do not end the performance."""

from __future__ import annotations

from follower.events import Event, Gap, Notice, Position, Session
from follower.protocol.commands import Command, Pause, PlaybackPosition, Resume, Seek, Start, Stop
from follower.session.background_sink import BackgroundSink
from follower.session.controls import ControlQueue, Refused
from follower.session.runner import run
from follower.testing import BLOCK, FakeEngine, ListSink, ScriptedSource, audio


def test_the_queue_is_bounded_and_keeps_the_newest() -> None:
    queue = ControlQueue(capacity=3)
    for n in range(5):
        queue.put(Seek(float(n)))
    assert queue.take() == [Seek(2.0), Seek(3.0), Seek(4.0)]
    assert queue.take() == []
    assert (queue.take_dropped(), queue.take_dropped()) == (2, 0)


def follow(*items: object, controls: ControlQueue | None = None) -> tuple[FakeEngine, ListSink]:
    engine, sink = FakeEngine(), ListSink()
    run(ScriptedSource(list(items)), engine, [sink], controls, clock=lambda: 0.0)
    return engine, sink


def test_commands_are_carried_out_before_the_next_block_even_an_empty_one() -> None:
    controls = ControlQueue()
    engine, sink = follow(
        audio(0),
        lambda: controls.put(Seek(50.0)),
        audio(BLOCK, 0),
        audio(BLOCK),
        lambda: controls.put(Pause()),
        audio(2 * BLOCK),
        lambda: controls.put(Resume()),
        audio(3 * BLOCK),
        controls=controls,
    )
    assert engine.commands == [Seek(50.0), Pause(), Resume()]
    positions = [e.orchestra_time_s for e in sink.events if isinstance(e, Position)]
    assert len(positions) == 3
    assert positions[1] is not None and positions[1] > 50.0


def test_stop_throws_audio_away_until_start_begins_afresh() -> None:
    controls = ControlQueue()
    engine, sink = follow(
        audio(0),
        lambda: controls.put(Stop()),
        audio(BLOCK),
        audio(2 * BLOCK),
        lambda: controls.put(Start()),
        audio(3 * BLOCK),
        controls=controls,
    )
    positions = [e for e in sink.events if isinstance(e, Position)]
    assert [p.seq for p in positions] == [0, 0]
    assert positions[1].audio_sample == 4 * BLOCK, "the stream's clock runs on"
    assert engine.resets == 1
    assert len(sink.sessions) == 2
    assert not any(isinstance(e, Gap) for e in sink.events)


def test_a_listeners_mistake_is_reported_and_the_session_goes_on() -> None:
    controls = ControlQueue(capacity=1)
    _, sink = follow(
        lambda: controls.put(Seek(1e6)),
        audio(0),
        lambda: controls.put(Refused("not understood")),
        lambda: controls.put(Refused("neither")),
        audio(BLOCK),
        controls=controls,
    )
    notices = [e.message for e in sink.events if isinstance(e, Notice)]
    assert "outside the orchestra recording" in notices[0]
    assert notices[1:] == ["1 commands were dropped: too many at once", "neither"]
    assert sum(isinstance(e, Position) for e in sink.events) == 2


def test_no_command_that_fails_ends_the_session() -> None:
    class Broken(FakeEngine):
        def command(self, command: Command) -> list[Event]:
            raise ZeroDivisionError("by zero")

    controls, sink = ControlQueue(), ListSink()
    items = [lambda: controls.put(PlaybackPosition(1.0)), audio(0), audio(BLOCK)]
    run(ScriptedSource(list(items)), Broken(), [sink], controls, clock=lambda: 0.0)
    assert [e.message for e in sink.events if isinstance(e, Notice)] == ["playback failed: ZeroDivisionError: by zero"]
    assert sum(isinstance(e, Position) for e in sink.events) == 2


class Full(BackgroundSink):
    """A disk that is full."""

    deliveries = 0

    def open(self) -> None:
        pass

    def deliver(self, items: list[Session | Event]) -> None:
        self.deliveries += 1
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        pass


def test_an_output_that_fails_is_reported_once_to_the_others() -> None:
    sink = ListSink()
    with Full() as full:

        def until_failed() -> None:
            while full.failure is None:
                pass

        items = [audio(0), until_failed, audio(BLOCK), audio(2 * BLOCK)]
        summary = run(ScriptedSource(list(items)), FakeEngine(), [full, sink], clock=lambda: 0.0)
    notices = [e.message for e in sink.events if isinstance(e, Notice)]
    assert notices == ["Full is no longer written: No space left on device"]
    assert sum(isinstance(e, Position) for e in sink.events) == 3
    assert full.deliveries == 1
    assert summary.dropped > 0
