"""What `replay` and `live` share: one source through one engine into the outputs asked for."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from follower.commands.live_view import LiveView
from follower.commands.options.engine import EngineOptions
from follower.commands.options.outputs import OutputOptions
from follower.commands.outputs import open_outputs
from follower.errors import OutputError
from follower.events import Event, Position
from follower.piece.piece import Piece
from follower.process import exit_code, handling, takes_text
from follower.session.background_writer import writers_among
from follower.session.controls import ControlQueue
from follower.session.recorder import Recorder
from follower.session.sink import Sink
from follower.session.source import Source
from follower.terminal import clock_text, unblocked

if TYPE_CHECKING:
    from follower.engine import Engine
    from follower.files.blackbox import Blackbox
    from follower.playback.desk import Desk
    from follower.practice.room import PracticeRoom

SWITCH_INTERVAL_S = 0.001
"""How long one thread may keep another from running: sockets must not wait 5 ms (Python's default) for the engine."""

SAY_AFTER_S = 2.0
"""Kernels that are not ready after so long are being compiled."""


@contextlib.contextmanager
def low_jitter() -> Iterator[None]:
    """Let threads take turns quickly, and keep the garbage collector off all that start-up made.

    A collection that walks the libraries' 125,000 objects takes 50 ms, in the middle of a performance.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before_s)


def warm_up(method: str, playing: bool = False) -> None:
    """Have the kernels that a session needs ready; say so where they have to be compiled, which takes a while once."""
    from follower import kernels

    def tell() -> None:
        print("compiling what computes; the next start takes a second", file=sys.stderr)

    timer = threading.Timer(SAY_AFTER_S, tell)
    timer.daemon = True
    timer.start()
    try:
        kernels.warmup((*kernels.FOLLOWING[method], *(kernels.PLAYING if playing else ())))
    finally:
        timer.cancel()


class Interruption:
    """Which signal asked the command to end, if one did.

    Attributes:
        number: of the signal; None for none.
    """

    def __init__(self) -> None:
        self.number: int | None = None

    @property
    def exit_code(self) -> int:
        """Exit code of a command that otherwise went well."""
        return 0 if self.number is None else exit_code(self.number)


@contextlib.contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[Interruption]:
    """Call `stop()` on Ctrl-C, SIGTERM and SIGHUP instead of raising, so that every file is completed."""
    interruption = Interruption()

    def handle(number: int, frame: object) -> None:
        interruption.number = number
        stop()

    with handling(handle):
        yield interruption


def _close(room: PracticeRoom) -> None:
    trouble = room.close()
    if trouble:
        print(f"warning: {trouble}", file=sys.stderr)


def follow(
    piece: Piece,
    source: Source,
    engine_options: EngineOptions,
    outputs: OutputOptions,
    audio_duration_s: float | None = None,
    more_sinks: Sequence[Sink] = (),
    controls: ControlQueue | None = None,
    desk: Desk | None = None,
    recorder: Recorder | None = None,
) -> int:
    """Follow an open source until it ends or Ctrl-C; returns the exit code.

    Args:
        piece: the prepared piece.
        source: open.
        engine_options: how the engine follows.
        outputs: where positions go.
        audio_duration_s: length of the piano recording; None for a live stream.
        more_sinks: not yet open, beside those of `outputs`.
        controls: where sinks put what they ask of the engine; None makes one for those of `outputs`.
        desk: what the orchestra is asked for; None where nothing is practised.
        recorder: is told what the engine takes; None makes the blackbox of `outputs`, if that is asked for.
    """
    from follower.engine import Engine
    from follower.practice.room import PracticeRoom
    from follower.session.runner import run

    controls = ControlQueue() if controls is None else controls
    last: list[Position] = []
    with contextlib.ExitStack() as stack:
        engine = Engine(piece, source.sample_rate_hz, engine_options.method, engine_options.start_s)
        warm_up(engine_options.method)
        if recorder is None and outputs.blackbox is not None:
            recorder = stack.enter_context(_blackbox(outputs.blackbox, outputs.blackbox_minutes, engine))
        sinks = [stack.enter_context(sink) for sink in more_sinks]
        sinks += stack.enter_context(open_outputs(outputs, piece, controls, desk))
        room = None
        if desk is not None:
            room = PracticeRoom(piece, source.sample_rate_hz, desk)
            stack.callback(_close, room)
        sinks.append(stack.enter_context(LiveView(unblocked(sys.stderr), piece.orchestra_duration_s, audio_duration_s)))
        interruption = stack.enter_context(interruptible(source.stop))
        stack.enter_context(low_jitter())

        def keep(event: Event) -> None:
            if isinstance(event, Position):
                last[:] = [event]

        summary = run(source, engine, sinks, controls, on_event=keep, partner=room, recorder=recorder)
    failed = [f"{w.name} is incomplete: {w.failure}" for w in writers_among((*sinks, recorder)) if w.failure]
    if failed:
        raise OutputError("; ".join(failed))
    where = last[0] if last else None
    if interruption.number is not None and not takes_text(sys.stdout):
        return interruption.exit_code  # a stopped terminal must not keep what was asked to end
    if where is None or where.orchestra_time_s is None:
        print(f"{summary.positions} positions; the piano was never found in {piece.path}")
    else:
        print(
            f"{summary.positions} positions; last: {clock_text(where.orchestra_time_s)} of the orchestra recording at "
            f"{clock_text(where.audio_time_s)} of the piano (state {where.state}, confidence {where.confidence:.2f})"
        )
    if summary.dropped:
        print(f"{summary.dropped} events could not be delivered", file=sys.stderr)
    return interruption.exit_code


def _blackbox(path: Path, minutes: float, engine: Engine) -> Blackbox:
    from follower.files.blackbox import Blackbox

    return Blackbox(path, engine.piece.path, engine.method, engine.start_s, engine.sample_rate_hz, minutes)
