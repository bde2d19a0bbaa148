"""`follower replay`: stream a recording of the piano through the engine as a live stream would come."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from follower.commands.display import ProgressDisplay
from follower.commands.outputs import add_file_outputs, open_outputs
from follower.errors import InputError
from follower.events import Event, Position
from follower.frontier.base import DEFAULT_METHOD, METHODS

DEFAULT_BLOCK_SAMPLES = 512


def parse_speed(text: str) -> float | None:
    """Read `--speed`: "realtime" is 1.0, "max" is None, else a number above 0."""
    if text in ("realtime", "max"):
        return 1.0 if text == "realtime" else None
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not realtime, max or a number above 0")
    return speed


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "replay",
        help="replay a recording of the piano as a simulated live stream",
        description="Stream a recording of the piano through the engine, block by block, as a live stream would come.",
    )
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("piano", type=Path, metavar="PIANO", help="recording of the solo piano (wav, flac, ogg, mp3)")
    parser.add_argument(
        "--speed", type=parse_speed, default=1.0, metavar="realtime|max|N", help="pace (default: realtime)"
    )
    parser.add_argument(
        "--block",
        type=int,
        default=DEFAULT_BLOCK_SAMPLES,
        metavar="N",
        help="samples per block at the file's rate (default: %(default)s)",
    )
    add_engine_options(parser)
    add_file_outputs(parser)
    return parser


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that make the engine."""
    parser.add_argument("--method", choices=tuple(METHODS), default=DEFAULT_METHOD, help="default: %(default)s")
    parser.add_argument(
        "--start", type=float, metavar="SECONDS", help="where in the orchestra recording the piano begins, when known"
    )


@contextlib.contextmanager
def interruptible(stop: Any) -> Iterator[threading.Event]:
    """Call `stop()` on Ctrl-C instead of raising, so that every file is completed; yields the flag it sets."""
    interrupted = threading.Event()

    def handle(signum: int, frame: object) -> None:
        interrupted.set()
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for s, h in before.items():
            signal.signal(s, h)


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower import kernels
    from follower.cache import load_cache
    from follower.engine import Engine
    from follower.runner import run as run_session
    from follower.sources.file import FileSource

    if args.block < 1:
        raise InputError(f"--block is {args.block}; give 1 or more")
    cache = load_cache(args.cache)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(FileSource(args.piano, args.block, args.speed))
        engine = Engine(cache, source.sample_rate_hz, args.method, args.start)
        kernels.warmup()
        sinks = stack.enter_context(open_outputs(args, cache))
        display = stack.enter_context(ProgressDisplay(sys.stderr, cache.orchestra_duration_s, source.duration_s))
        interrupted = stack.enter_context(interruptible(source.stop))
        last: list[Position] = []

        def show(event: Event) -> None:
            if isinstance(event, Position):
                last[:] = [event]
            display.show(event)

        summary = run_session(source, engine, sinks, on_event=show)
    where = last[0] if last else None
    if where is None or where.orchestra_time_s is None:
        print(f"{summary.positions} positions; the piano was never found in {args.cache}")
    else:
        print(
            f"{summary.positions} positions; last: {where.orchestra_time_s:.2f} s in the orchestra recording at "
            f"{where.audio_time_s:.2f} s of the piano (state {where.state}, confidence {where.confidence:.2f})"
        )
    if summary.dropped:
        print(f"{summary.dropped} events could not be delivered", file=sys.stderr)
    return 130 if interrupted.is_set() else 0
