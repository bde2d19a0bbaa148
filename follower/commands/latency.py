"""`follower latency`: how late is what the follower reports?"""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from follower.commands.session import add_engine_options, interruptible, low_jitter
from follower.errors import InputError, OutputError
from follower.protocol.address import LOOPBACK, Address

if TYPE_CHECKING:
    from follower.evaluation.latency.delays import Delays, Figures
    from follower.evaluation.latency.musical import Musical
    from follower.evaluation.latency.probes import Emitted

TARGETS = {"compute": 5.0, "osc": 10.0, "websocket": 10.0}
"""p99 in ms, on a 12 minute reference."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "latency",
        help="measure compute, delivery and musical delay",
        description="Replay a recording in real time and measure how late positions are: leaving the engine, arriving "
        "by OSC and WebSocket in another process, and against the annotated truth.",
    )
    parser.add_argument("cache", type=Path, metavar="CACHE", help="folder made by offline-prep")
    parser.add_argument("piano", type=Path, metavar="PIANO", help="recording of the solo piano")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="length (default: %(default)s)")
    parser.add_argument("--block", type=int, default=512, metavar="N", help="samples per block (default: %(default)s)")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="CPU-bound processes beside it (default: 0)")
    parser.add_argument(
        "--scenario", type=Path, metavar="DIR", help="scenario folder with the truth, for the musical delay"
    )
    parser.add_argument("--plot", type=Path, metavar="F.png", help="write histograms")
    parser.add_argument("--json", type=Path, metavar="F.json", help="write the figures")
    add_engine_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Carry out the command."""
    from follower.evaluation.latency.delays import Figures
    from follower.evaluation.latency.histograms import plot_delays

    if not args.seconds > 0:
        raise InputError(f"--seconds is {args.seconds}; give a number above 0")
    if args.load < 0:
        raise InputError(f"--load is {args.load}; give 0 or more")
    measured, emitted = _measure(args)
    figures = {
        "compute": Figures.of(measured.compute_ms),
        "compute_cpu": Figures.of(measured.compute_cpu_ms),
        "osc": Figures.of(measured.osc_ms),
        "websocket": Figures.of(measured.websocket_ms),
    }
    musical = _musical(args.scenario, emitted) if args.scenario is not None else None
    _print(figures, musical, measured.positions, args.load)
    if args.json is not None:
        document: dict[str, Any] = {name: asdict(f) for name, f in figures.items()}
        document |= {"positions": measured.positions, "load": args.load}
        document |= {"musical": asdict(musical)} if musical is not None else {}
        try:
            args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as e:
            raise OutputError(f"cannot write {args.json}: {e.strerror or e}; choose a file you may write") from e
    if args.plot is not None:
        plot_delays(measured, args.plot, f"{args.piano.name}, {args.method}, {args.load} busy processes beside it")
    return 0


def _measure(args: argparse.Namespace) -> tuple[Delays, Emitted]:
    """Run in real time into a receiver in another process."""
    from follower import kernels
    from follower.engine import Engine
    from follower.evaluation.latency.delays import delays
    from follower.evaluation.latency.load import cpu_load
    from follower.evaluation.latency.probes import Emitted, TimedSource
    from follower.evaluation.latency.receiver_process import ReceiverProcess
    from follower.files.source import FileSource
    from follower.osc.sink import OscSink
    from follower.piece.reading import load_piece
    from follower.session.controls import ControlQueue
    from follower.session.runner import run as run_session
    from follower.websocket.sink import WebSocketSink

    piece = load_piece(args.cache)
    emitted = Emitted()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(TimedSource(FileSource(args.piano, args.block), args.seconds))
        engine = Engine(piece, source.sample_rate_hz, args.method, args.start)
        kernels.warmup()
        websocket = stack.enter_context(WebSocketSink(0, ControlQueue()))
        receiver = ReceiverProcess(websocket.port)
        osc = stack.enter_context(OscSink([Address(LOOPBACK, receiver.osc_port)]))
        stack.enter_context(interruptible(source.stop))
        stack.enter_context(cpu_load(args.load))
        stack.enter_context(low_jitter())
        run_session(source, engine, [osc, websocket], on_event=emitted.note)
    return delays(source, emitted, receiver.finish()), emitted


def _musical(scenario: Path, emitted: Emitted) -> Musical:
    from follower.evaluation.latency.musical import musical_delay
    from follower.evaluation.scenario import load_scenario

    truth = load_scenario(scenario).truth
    known = [p for p in emitted.positions if p.orchestra_time_s is not None]
    return musical_delay(
        np.array([p.audio_time_s for p in known]),
        np.array([p.orchestra_time_s for p in known]),
        np.array([p.rate for p in known]),
        truth.piano_s,
        truth.orchestra_s,
    )


def _print(figures: dict[str, Figures], musical: Musical | None, positions: int, load: int) -> None:
    print(f"{positions} positions in real time, {load} busy processes beside it")
    print(f"{'ms':12} {'count':>6} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}  p99 target")
    for name, f in figures.items():
        target = ""
        if name in TARGETS:
            target = f"  {TARGETS[name]:g} {'met' if f.p99_ms < TARGETS[name] else 'MISSED'}"
        print(f"{name:12} {f.count:6d} {f.p50_ms:8.2f} {f.p95_ms:8.2f} {f.p99_ms:8.2f} {f.max_ms:8.2f}{target}")
    if musical is not None:
        print(
            f"musical delay over {musical.count} positions: bias {musical.bias_ms:+.1f} ms, "
            f"best-fitting lag {musical.lag_ms:+.1f} ms (positive is behind the pianist)"
        )
